//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package local

import (
	"context"
	"errors"
	"runtime"

	"github.com/goconvoke/convoke/strategy"
)

func runNode(context.Context, Config, strategy.Env, strategy.Sink) error {
	return strategy.Permanent(errors.New(
		"strategy local needs file locks that die with their process, which it does not know how to take on " +
			runtime.GOOS + "; use strategy static or multicast"))
}
