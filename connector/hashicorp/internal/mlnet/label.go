package mlnet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A stream of a labelled cluster starts with a header: the byte 244, the length of the label (1..255), the
// label. memberlist never answers with such a header, so we use one as the answer "you
// called another cluster": it names the cluster that was reached, and a node that knows nothing of
// it reports an invalid message, as it would report any other mistake.
const labelByte = 244

// MaxLabel bounds a cluster ID, in bytes.
const MaxLabel = 255

// labelHeader returns the header of a label of 1..MaxLabel bytes.
func labelHeader(label string) []byte {
	return append([]byte{labelByte, byte(len(label))}, label...)
}

// errNoLabel means that a stream starts with something else than a header.
var errNoLabel = errors.New("no label")

// readLabel reads a header and nothing beyond it.
func readLabel(r io.Reader) (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return "", err
	}
	if head[0] != labelByte {
		return "", errNoLabel
	}
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return "", err
	}
	label := make([]byte, head[1])
	if _, err := io.ReadFull(r, label); err != nil {
		return "", err
	}
	return string(label), nil
}

// Quote makes text from another node fit for an error or a log.
func Quote(s string) string { return fmt.Sprintf("%.64q", s) }

// prefixedConn reads some bytes again before the rest of a stream.
func prefixedConn(read []byte, rest io.Reader) io.Reader {
	return io.MultiReader(bytes.NewReader(read), rest)
}
