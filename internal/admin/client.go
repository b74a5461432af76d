package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
)

// ErrNoAgent means that no agent listens on the socket.
var ErrNoAgent = errors.New("no agent listens there")

// ErrNotAllowed means that the socket belongs to another user.
var ErrNotAllowed = errors.New("the agent runs as another user")

// ErrUntrusted means that another user listens on the socket, who could read the request and forge the answer. Nothing was sent.
var ErrUntrusted = errors.New("another user listens on the admin socket")

// checkUsers returns an error unless the user that listens on a socket is that of this process, or root. For root it may also be the
// owner of a data directory, which the configuration names; the directories that are named for a user are that user's alone.
func checkUsers(path string, listens, self, dir int) error {
	named := filepath.Base(filepath.Dir(path)) == ownDir()
	if listens == self || listens == 0 || self == 0 && listens == dir && !named {
		return nil
	}
	return fmt.Errorf("%s: %w: user %d, this is user %d", path, ErrUntrusted, listens, self)
}

// Call asks the agent behind a socket and hands on the data of each line of its answer, until that ends or ctx is done. An error of
// each ends it. What went wrong at the agent comes as an error with its words.
func Call(ctx context.Context, path string, r Request, each func(data json.RawMessage) error) error {
	if err := checkPath(path); err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	c, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || isRefused(err):
		return fmt.Errorf("%s: %w", path, ErrNoAgent)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w", path, ErrNotAllowed)
	case err != nil:
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if err := checkOwner(c.(*net.UnixConn), path); err != nil {
		return err
	}
	r.Version = Version
	b, err := encode(r)
	if err != nil {
		return err
	}
	if len(b) > maxRequest {
		return fmt.Errorf("the request has %d bytes, at most %d are possible", len(b), maxRequest)
	}
	_, _ = c.Write(b) // an agent that does not take it may have sent the reason
	return readAnswer(ctx, c, each)
}

// readAnswer reads an answer.
func readAnswer(ctx context.Context, c io.Reader, each func(json.RawMessage) error) error {
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, maxReply)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("the answer is not a line of JSON: %w", err)
		}
		if l.Data != nil {
			if err := each(l.Data); err != nil {
				return err
			}
		}
		switch {
		case l.Error != "":
			return errors.New(l.Error)
		case l.End:
			return nil
		}
	}
	return endError(ctx, lines.Err())
}

// endError returns why an answer has no end.
func endError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("the agent closed the connection: %w", err)
	}
	return errors.New("the agent closed the connection before the end of its answer")
}
