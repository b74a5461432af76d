package store

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxLine is the longest line of the file, in bytes. A longer one is an error.
const maxLine = 64 << 10

// Read returns the records of a file in the order in which the store took them. A last line without an end is left out: its writer was
// killed. An error names the byte at which the bad line begins.
func Read(path string) ([]Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	records, _, err := decode(file, path, 0)
	return records, err
}

// decode reads whole lines, and returns their records and how many bytes they have. name and offset are for errors.
func decode(from io.Reader, name string, offset int64) (records []Record, n int64, err error) {
	in := bufio.NewReaderSize(from, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return records, n, nil
		}
		var r Record
		if err == nil {
			err = json.Unmarshal(line, &r)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read %s: line at byte %d: %w", name, offset+n, err)
		}
		records, n = append(records, r), n+int64(len(line))
	}
}
