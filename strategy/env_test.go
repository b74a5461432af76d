package strategy_test

import (
	"reflect"
	"testing"

	"github.com/goconvoke/convoke/strategy"
)

func TestAStrategyFindsNoFieldOfItsEnvNil(t *testing.T) {
	var got strategy.Env
	kind := strategy.Kind[struct{}]{Name: "curious", New: func(_ struct{}, env strategy.Env) (strategy.Strategy, error) {
		got = env
		return strategy.Func(nil), nil
	}}
	c, err := kind.Configure(struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.New(strategy.Env{}); err != nil {
		t.Fatal(err)
	}
	fields := reflect.ValueOf(got)
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if fields.Field(i).Kind() != reflect.String && fields.Field(i).IsNil() {
			t.Errorf("Env.%s is nil", name)
		}
	}
	if peers := got.Self(); len(peers) > 0 {
		t.Errorf("Self() = %v, want none", peers)
	}
	select {
	case <-got.SelfChanged:
		t.Error("SelfChanged receives")
	default:
	}
}
