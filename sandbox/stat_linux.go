package sandbox

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// kernelNow is the time that a file gets that is changed now. The kernel's clock for
// it is coarse and lags behind the usual one.
func kernelNow() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now) // fails for unknown clocks only
	return now.Nano()
}

// modeOf is st_mode.
func modeOf(stat *unix.Stat_t) uint32 { return stat.Mode }

func stampFrom(stat *unix.Stat_t) fileStamp {
	return fileStamp{
		dev: stat.Dev, ino: stat.Ino, links: uint64(stat.Nlink), //nolint:unconvert // 32 bits on arm64
		mtime: stat.Mtim.Nano(), ctime: stat.Ctim.Nano(),
		blank: saysNothing(modeOf(stat), stat.Size),
	}
}

// look takes the files of a folder into account that have more than one name.
func (l *linkWatch) look(dir string) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil || n <= 0 {
			return
		}
		for rest := buf[:n]; len(rest) > 19; {
			size := binary.NativeEndian.Uint16(rest[16:])
			kind, name := rest[18], rest[19:size]
			rest = rest[size:]
			if kind != unix.DT_REG && kind != unix.DT_UNKNOWN {
				continue
			}
			name, _, _ = bytes.Cut(name, []byte{0})
			var stat unix.Stat_t
			if unix.Fstatat(fd, string(name), &stat, unix.AT_SYMLINK_NOFOLLOW) != nil || stat.Nlink < 2 || stat.Mode&unix.S_IFMT != unix.S_IFREG {
				continue
			}
			stamp, path := stampFrom(&stat), join(dir, name)
			l.files[path] = stamp
			l.names[[2]uint64{stamp.dev, stamp.ino}]++
			if stamp.mtime >= l.w.began {
				l.touched[path] = true
			}
		}
	}
}
