//go:build !linux

package sandbox

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kernelNow is the time that a file gets that is changed now.
func kernelNow() int64 { return time.Now().UnixNano() }

// modeOf is st_mode, which has 16 bits on some systems.
func modeOf(stat *unix.Stat_t) uint32 { return uint32(stat.Mode) }

func stampFrom(stat *unix.Stat_t) fileStamp {
	return fileStamp{
		dev: uint64(stat.Dev), ino: stat.Ino, links: uint64(stat.Nlink), //nolint:gosec // as the system has it
		mtime: stat.Mtim.Nano(), ctime: stat.Ctim.Nano(),
		blank: saysNothing(modeOf(stat), stat.Size),
	}
}

// look takes the files of a folder into account that have more than one name.
func (l *linkWatch) look(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := join(dir, []byte(e.Name()))
		stamp, ok := stampOf(path)
		if !e.Type().IsRegular() || !ok || stamp.links < 2 {
			continue
		}
		l.files[path] = stamp
		l.names[[2]uint64{stamp.dev, stamp.ino}]++
		if stamp.mtime >= l.w.began {
			l.touched[path] = true
		}
	}
}
