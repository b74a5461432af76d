module github.com/goconvoke/convoke/integration

go 1.26.0

replace github.com/goconvoke/convoke => ../

require github.com/google/go-cmp v0.7.0
