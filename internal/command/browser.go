package command

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// openTime bounds the start of a browser. One that goes on in the foreground is left alone.
const openTime = 5 * time.Second

// openBrowser has the desktop open an address.
func openBrowser(ctx context.Context, address string) error {
	command := []string{"xdg-open", address}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", address}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", address}
	}
	browser := exec.Command(command[0], command[1:]...) // not ended with this command
	if err := browser.Start(); err != nil {
		return fmt.Errorf("--open: %w: open the address by hand", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- browser.Wait() }() // until the browser ends, or this process
	late := time.NewTimer(openTime)
	defer late.Stop()
	var exit *exec.ExitError
	select {
	case err := <-ended:
		if errors.As(err, &exit) {
			return fmt.Errorf("--open: %s: %w: open the address by hand", command[0], err)
		}
		return err
	case <-late.C:
	case <-ctx.Done():
	}
	return nil
}
