package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// sharingViolation is ERROR_SHARING_VIOLATION.
const sharingViolation = syscall.Errno(32)

// lockFile opens a file without sharing it; the system closes it when the process ends.
func lockFile(name string) (io.Closer, error) {
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		err = ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return os.NewFile(uintptr(h), name), nil
}

// syncDir does nothing: Windows has no way to sync a directory, and NTFS journals its entries itself.
func syncDir(string) error { return nil }

// systemFailures are ERROR_WRITE_PROTECT, ERROR_NOT_READY, ERROR_CRC, ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL and ERROR_IO_DEVICE.
var systemFailures = []error{
	syscall.Errno(19), syscall.Errno(21), syscall.Errno(23), syscall.Errno(39), syscall.Errno(112), syscall.Errno(1117),
}
