package strategy

import "github.com/goconvoke/convoke/internal/secret"

// Secret is a string setting that is never printed: not by fmt, not in errors about the
// configuration, not by explain. Convert it with string() to use it.
type Secret = secret.String

// Key is a 256-bit secret key. In YAML it is standard base64, as `openssl rand -base64 32`
// prints it. It is never printed; Bytes returns it.
type Key = secret.Key
