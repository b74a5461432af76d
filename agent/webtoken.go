package agent

import (
	"crypto/sha256"
	"crypto/subtle"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
)

// fileStamp differs between two states of a file.
type fileStamp struct {
	modified time.Time
	size     int64
}

// stampOf returns the stamp of a file, the zero one if it cannot be looked at.
func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info.ModTime(), info.Size()}
}

// tokenFile is the token of a file, which is read again when it changes. The last token stands while the file cannot be read.
type tokenFile struct {
	path string
	log  hclog.Logger

	mu    sync.Mutex // guards all below
	stamp fileStamp
	hash  [sha256.Size]byte // of the token
}

func newTokenFile(path string, log hclog.Logger) (*tokenFile, error) {
	t := &tokenFile{path: path, log: log, stamp: stampOf(path)}
	token, err := cluster.ReadToken(path)
	t.hash = sha256.Sum256([]byte(token))
	return t, err
}

// matches reports whether a token is that of the file, in a time that does not depend on where they differ.
func (t *tokenFile) matches(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if stamp := stampOf(t.path); stamp != t.stamp {
		t.stamp = stamp
		if now, err := cluster.ReadToken(t.path); err != nil {
			t.log.Error("cannot read the token; the last one stays in force", "error", err)
		} else {
			t.hash = sha256.Sum256([]byte(now))
			t.log.Info("the token of http.token_file has changed", "file", t.path)
		}
	}
	given := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(given[:], t.hash[:]) == 1
}
