package core

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxGitIndex bounds an index that is read, in bytes: that of some millions of files.
const maxGitIndex = 1 << 28

// gitlinks are the paths of the submodules in the index of a repository: git enters those
// that are there, whether .gitmodules knows them or not. hash is the length of the names
// of objects, in bytes.
func gitlinks(gitDir string, hash int) ([]string, error) {
	text, err := readIndex(filepath.Join(gitDir, "index"))
	if err != nil || text == nil {
		return nil, err
	}
	links, shared, err := parseIndex(text, hash)
	if err == nil && shared != "" {
		var more []string
		if text, err = readIndex(filepath.Join(gitDir, "sharedindex."+shared)); err == nil && text != nil {
			more, _, err = parseIndex(text, hash)
			links = append(links, more...)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the index of %q: %w", gitDir, err)
	}
	return links, nil
}

// readIndex reads one of the files of an index, nil if it is not there.
func readIndex(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	if !info.Mode().IsRegular() || info.Size() > maxGitIndex {
		return nil, fmt.Errorf("%q is no index that srt can read", name)
	}
	text := make([]byte, info.Size())
	_, err = io.ReadFull(f, text)
	return text, err //nolint:wrapcheck // git writes it anew under another name
}

var errIndex = errors.New("it is not what git writes")

// parseIndex finds the submodules in an index (gitformat-index(5)), and the name of the
// index that it shares entries of, "" for none.
func parseIndex(text []byte, hash int) (links []string, shared string, err error) {
	const header, mode = 12, 24 // the latter's place in an entry
	if len(text) < header || string(text[:4]) != "DIRC" {
		return nil, "", errIndex
	}
	version, count := binary.BigEndian.Uint32(text[4:]), binary.BigEndian.Uint32(text[8:])
	if version < 2 || version > 4 {
		return nil, "", fmt.Errorf("its version is %d, which srt does not know", version)
	}
	rest := text[header:]
	var name []byte
	for range count {
		fixed := 40 + hash + 2
		if len(rest) < fixed {
			return nil, "", errIndex
		}
		link := binary.BigEndian.Uint32(rest[mode:])&0o170000 == 0o160000
		if flags := binary.BigEndian.Uint16(rest[fixed-2:]); version >= 3 && flags&0x4000 != 0 {
			fixed += 2
		}
		if len(rest) < fixed {
			return nil, "", errIndex
		}
		at := fixed
		if version == 4 {
			// The name is that of the entry before, less some bytes, and what follows.
			strip, n := offsetNumber(rest[at:])
			if n == 0 || strip > uint64(len(name)) {
				return nil, "", errIndex
			}
			name = name[:uint64(len(name))-strip]
			at += n
		} else {
			name = name[:0]
		}
		end := bytes.IndexByte(rest[at:], 0)
		if end < 0 {
			return nil, "", errIndex
		}
		name = append(name, rest[at:at+end]...)
		at += end + 1
		if version < 4 {
			at = fixed + (end + 8 - (fixed+end)%8) // to a multiple of eight, one NUL at least
		}
		if at > len(rest) {
			return nil, "", errIndex
		}
		rest = rest[at:]
		if link {
			links = append(links, string(name))
		}
	}
	// The extensions, and the checksum at the end.
	for len(rest) > hash+8 {
		size := int64(binary.BigEndian.Uint32(rest[4:]))
		if size > int64(len(rest)-8) {
			return nil, "", errIndex
		}
		if string(rest[:4]) == "link" {
			if size < int64(hash) {
				return nil, "", errIndex
			}
			shared = hex.EncodeToString(rest[8 : 8+hash])
		}
		rest = rest[8+size:]
	}
	return links, shared, nil
}

// offsetNumber reads a number of the form that git uses for offsets in packs, and how
// many bytes it has, 0 for none.
func offsetNumber(text []byte) (value uint64, n int) {
	for n < len(text) && n < 9 {
		c := text[n]
		n++
		value = value<<7 | uint64(c&0x7f)
		if c&0x80 == 0 {
			return value, n
		}
		value++
	}
	return 0, 0
}
