package sandbox

import (
	"bytes"
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// read lists one folder. It reports false if that could not be done.
func (w *walker) read(dir string, buf []byte, b *batch) bool {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		// What vanished meanwhile is no loss.
		return errors.Is(err, unix.ENOENT)
	}
	defer func() { _ = unix.Close(fd) }()
	if w.stamp {
		var stat unix.Stat_t
		if unix.Fstat(fd, &stat) == nil {
			b.stamps = append(b.stamps, dirStamp{dir, stat.Ctim.Nano()})
		}
	}
	for {
		n, err := unix.Getdents(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return err == nil
		}
		// struct linux_dirent64 of getdents(2): u64 ino, s64 off, u16 reclen, u8 type, name.
		for rest := buf[:n]; len(rest) > 19; {
			size := binary.NativeEndian.Uint16(rest[16:])
			kind, name := rest[18], rest[19:size]
			rest = rest[size:]
			if end := bytes.IndexByte(name, 0); end >= 0 {
				name = name[:end]
			}
			if string(name) == "." || string(name) == ".." || len(name) == 0 {
				continue
			}
			isDir := kind == unix.DT_DIR
			if kind == unix.DT_UNKNOWN { // the file system does not tell
				var stat unix.Stat_t
				isDir = unix.Lstat(join(dir, name), &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFDIR
			}
			w.entry(dir, name, isDir, b)
		}
	}
}
