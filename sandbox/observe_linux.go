package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/stage"
)

// The calls that the stage's filter watches wait until srt answers, see
// seccomp_unotify(2). About files the answer is always that the kernel goes on with the
// call (SECCOMP_USER_NOTIF_FLAG_CONTINUE), and refuses it or not by the mounts: what
// srt reads of the call may be another thing by then. So nothing here is policy.
//
// Everything that is read about the process (its memory, folder and descriptors in
// /proc) is read before the answer, which fails if the process has ended meanwhile; then
// another may have its number, and what was read is dropped. Where a file is to be read,
// and is not hidden as far as its path says, srt answers first and looks for symlinks
// afterwards; if the last process ends before that, it is too late to see something.

// The requests of seccomp_unotify(2) that package unix lacks, and their structures.
const (
	notifIDValid  = 0x40082102
	notifSetFlags = 0x40082104

	flagContinue = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

type notification struct {
	id        uint64
	pid       uint32
	flags     uint32
	nr        int32
	arch      uint32
	pointer   uint64
	arguments [6]uint64
}

type response struct {
	id    uint64
	value int64
	error int32
	flags uint32
}

// One thread answers, and another joins where calls are seen waiting: each process waits
// for its own, so that takes several, on several processors. Two for one process would
// only take turns, which costs more than what they do.
const (
	maxLookers = 4
	sampled    = 32 // calls after which it is looked whether others wait
	seenOften  = 4  // how often they must
)

// maxPending bounds the different attempts that are not reported yet.
const maxPending = 4096

// window is how long attempts are gathered, and what was found out holds for more of
// the same kind.
const window = 10 * time.Millisecond

// observer answers the calls of one sandbox.
type observer struct {
	Observer
	*terrain
	fd     int // of the filter
	calls  []*stage.Watched
	nested bool // processes may have namespaces and roots of their own

	root    atomic.Int64  // a descriptor of the sandbox's root, 0: none yet
	mark    atomic.Uint64 // the mount of /dev in it
	busy    atomic.Int64  // threads that look at something
	lookers atomic.Int64
	windows atomic.Int64 // how many have passed
	ended   atomic.Bool
	threads sync.WaitGroup
	lost    sync.Once

	mu      sync.Mutex
	pending []*candidate // in their order
	known   map[candidateKey]*candidate
	dropped int
	wake    chan struct{}
	end     chan struct{}
	drained chan struct{}
}

// candidate is an attempt of which it is not known yet whether it would work outside.
type candidate struct {
	Attempt
	act  stage.Act
	make bool // of Open: the file is not there, or only in the sandbox's stead
}

type candidateKey struct {
	call, path string
	pid        int
}

// observe answers the calls that come by the descriptor of a filter.
func observe(o Observer, t *terrain, fd int, nested bool) (*observer, error) {
	arch, err := stage.ArchOf(runtime.GOARCH)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it means
	}
	ob := &observer{
		Observer: o, terrain: t, fd: fd, nested: nested,
		known: map[candidateKey]*candidate{}, wake: make(chan struct{}, 1), end: make(chan struct{}), drained: make(chan struct{}),
	}
	for number, call := range stage.WatchedCalls(arch) {
		if number >= len(ob.calls) {
			ob.calls = append(ob.calls, make([]*stage.Watched, number+1-len(ob.calls))...)
		}
		ob.calls[number] = &call
	}
	// Each side sleeps while the other works, so they need one processor (Linux 6.6).
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), notifSetFlags, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	ob.lookers.Store(1)
	ob.threads.Go((&looker{observer: ob}).loop)
	go ob.report()
	return ob, nil
}

// finish waits until all has been reported. Nothing must run in the sandbox any more.
func (ob *observer) finish() {
	for end := time.Now().Add(time.Second); ob.busy.Load() > 0 && time.Now().Before(end); {
		time.Sleep(50 * time.Microsecond)
	}
	if ob.ended.Swap(true) {
		return
	}
	close(ob.end)
	<-ob.drained
}

// close gives everything back. Threads of old kernels go on waiting for a filter that
// nobody uses; a signal makes them look up.
func (ob *observer) close() {
	ob.finish()
	go func() {
		ob.threads.Wait()
		_ = unix.Close(ob.fd)
		if root := ob.root.Load(); root > 0 {
			_ = unix.Close(int(root))
		}
	}()
}

// add takes a candidate in, or counts it.
func (ob *observer) add(c *candidate) {
	key := candidateKey{c.Call, c.Path, c.PID}
	ob.mu.Lock()
	first := len(ob.pending) == 0
	switch known := ob.known[key]; {
	case known != nil:
		known.Count++
	case len(ob.pending) >= maxPending:
		ob.dropped++
	default:
		ob.known[key] = c
		ob.pending = append(ob.pending, c)
	}
	ob.mu.Unlock()
	if first {
		select {
		case ob.wake <- struct{}{}:
		default:
		}
	}
}

// report hands on what was gathered, until the end.
func (ob *observer) report() {
	defer close(ob.drained)
	for ended := false; !ended; {
		select {
		case <-ob.wake:
		case <-ob.end:
			ended = true
		}
		ob.windows.Add(1)
		ob.mu.Lock()
		pending, dropped := ob.pending, ob.dropped
		ob.pending, ob.dropped = nil, 0
		clear(ob.known)
		ob.mu.Unlock()
		for _, c := range pending {
			if ob.Attempt != nil && c.worksOutside() {
				ob.Attempt(c.Attempt)
			}
		}
		if dropped > 0 && ob.Dropped != nil {
			ob.Dropped(dropped)
		}
		if !ended {
			select {
			case <-time.After(window):
			case <-ob.end:
			}
		}
	}
}

// worksOutside reports whether the caller may do it where srt is: what fails anyway is
// not refused by the sandbox.
func (c *candidate) worksOutside() bool {
	may := func(path string, mode uint32) bool {
		return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS) == nil
	}
	var stat unix.Stat_t
	there := unix.Lstat(c.Path, &stat) == nil
	switch c.act {
	case stage.Open:
		switch {
		case !c.Write:
			return may(c.Path, unix.R_OK)
		case !c.make:
			return may(c.Path, unix.W_OK) || !there && may(filepath.Dir(c.Path), unix.W_OK|unix.X_OK)
		}
		return may(filepath.Dir(c.Path), unix.W_OK|unix.X_OK)
	case stage.Make:
		return may(filepath.Dir(c.Path), unix.W_OK|unix.X_OK)
	case stage.Remove:
		return there && may(filepath.Dir(c.Path), unix.W_OK|unix.X_OK)
	case stage.Replace:
		return may(filepath.Dir(c.Path), unix.W_OK|unix.X_OK)
	case stage.Change:
		own := os.Geteuid() == 0 || int(stat.Uid) == os.Geteuid()
		return there && own && !errors.Is(unix.Access(c.Path, unix.W_OK), unix.EROFS)
	case stage.Connect:
		return may(c.Path, unix.W_OK)
	case stage.Bind:
	}
	return false
}

// looker is one thread that answers.
type looker struct {
	*observer
	n     notification
	call  *stage.Watched
	names [2]name
	buf   [unix.PathMax]byte

	// What was found out in this window.
	window   int64
	refused  map[callKey]candidate
	folders  map[string]string // those that are read-only, and where they are
	programs map[uint32]program

	free map[string]time.Time // folders that are, until when that is believed
}

// callKey is a call as the process makes it.
type callKey struct {
	pid   uint32
	nr    int32
	flags uint64
	a, b  string
}

type program struct {
	pid  int
	name string
	args []string
}

// forget begins a new window.
func (l *looker) forget() {
	if now := l.windows.Load(); now != l.window || l.refused == nil {
		l.window = now
		l.refused, l.folders, l.programs = map[callKey]candidate{}, map[string]string{}, map[uint32]program{}
	}
}

// name is one path of a call.
type name struct {
	path  string // from the sandbox's root, as the process says it
	clean string // without dots and double slashes
	act   stage.Act
}

// loop answers until nobody asks. Nothing unlocks its thread, which ends with it.
func (l *looker) loop() {
	runtime.LockOSThread()
	dropOverrides()
	waiting := 0
	for n := 1; !l.ended.Load(); n++ {
		l.n = notification{}
		if errno := l.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&l.n)); errno != 0 { //nolint:gosec // the call takes a pointer
			// ENOENT: who asked has ended, or nobody can ask any more.
			if errno != unix.EINTR && (errno != unix.ENOENT || l.poll()&^unix.POLLIN != 0) {
				return
			}
			continue
		}
		l.busy.Add(1)
		l.handle()
		l.busy.Add(-1)
		if n%sampled != 0 || l.poll()&unix.POLLIN == 0 {
			continue
		}
		if waiting++; waiting%seenOften == 0 && l.lookers.Add(1) <= maxLookers {
			l.threads.Go((&looker{observer: l.observer}).loop)
		}
	}
}

// poll says what is to be seen at the descriptor: POLLIN where calls wait, others where
// nobody can make one any more.
func (l *looker) poll() int16 {
	fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor
	if _, err := unix.Poll(fds, 0); err != nil {
		return 0
	}
	return fds[0].Revents
}

func (l *looker) ioctl(request uintptr, argument unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), request, uintptr(argument))
	return errno
}

// dropOverrides has this thread of root's judged by permissions, as root inside is.
func dropOverrides() {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if unix.Capget(&header, &sets[0]) != nil {
		return
	}
	sets[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	_ = unix.Capset(&header, &sets[0])
}

// proceed has the kernel go on with the call. It fails if the caller has ended, and
// with it all that was read of it is void.
func (l *looker) proceed() bool {
	r := response{id: l.n.id, flags: flagContinue}
	return l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) == 0 //nolint:gosec // the call takes a pointer
}

// handle answers one call.
func (l *looker) handle() {
	l.call = nil
	if nr := int(l.n.nr); nr >= 0 && nr < len(l.calls) {
		l.call = l.calls[nr]
	}
	if l.call == nil {
		l.proceed()
		return
	}
	if act := l.call.Names[0].Act; act == stage.Connect || act == stage.Bind {
		// It may have to wait for who listens.
		l.busy.Add(1)
		n := l.n
		l.threads.Go(func() { l.mediate(n, act) })
		return
	}
	names, err := l.readNames()
	if err != nil {
		if l.proceed() && !errors.Is(err, unix.EFAULT) && !errors.Is(err, unix.ENAMETOOLONG) && !errors.Is(err, unix.ENOENT) {
			l.lost.Do(func() {
				if l.Lost != nil {
					l.Lost(err)
				}
			})
		}
		return
	}
	suspect := false
	for _, n := range names {
		suspect = suspect || l.suspect(n.clean, n.act, l.reads())
	}
	if !suspect && (l.plain(names) || l.known(names)) {
		l.proceed()
		return
	}
	late := !suspect && l.reads()
	if late {
		if l.root.Load() == 0 && !l.nested {
			if v, err := l.view(); err == nil {
				v.done()
			}
		}
		if !l.proceed() {
			return
		}
	}
	c := l.look(names, suspect, late)
	if !late && !l.proceed() || c == nil {
		return
	}
	l.add(c)
}

// look finds what the mounts refuse of the call and says who made it; nil if nothing.
func (l *looker) look(names []name, suspect, late bool) *candidate {
	l.forget()
	key := callKey{pid: l.n.pid, nr: l.n.nr, flags: l.flags(), a: names[0].path}
	if len(names) > 1 {
		key.b = names[1].path
	}
	if known, ok := l.refused[key]; ok {
		known.Time = time.Now()
		return &known
	}
	c := l.judge(names, suspect, late)
	if c == nil {
		return nil
	}
	by, ok := l.programs[l.n.pid]
	if !ok {
		by = l.who()
		l.programs[l.n.pid] = by
	}
	c.PID, c.Program, c.Args, c.Time = by.pid, by.name, by.args, time.Now()
	if len(l.refused) < maxPending {
		l.refused[key] = *c
	}
	return c
}

// plain reports whether there is nothing to look for: where nothing but the process
// itself lies.
func (l *looker) plain(names []name) bool {
	return !slices.ContainsFunc(names, func(n name) bool {
		return !isQuiet(n.clean) && (!l.reads() || !strings.HasPrefix(n.clean, "/sys/"))
	})
}

// known reports whether the call only makes, renames or removes names in folders that
// were seen to be writable a moment ago.
func (l *looker) known(names []name) bool {
	const create = unix.O_CREAT | unix.O_EXCL
	for _, n := range names {
		dir, _ := split(n.path)
		if n.act == stage.Change || n.act == stage.Open && l.flags()&create != create || !time.Now().Before(l.free[dir]) {
			return false
		}
	}
	return true
}

// flags gives those of the call.
func (l *looker) flags() uint64 {
	switch {
	case l.call.Flags != stage.NoArg:
		return l.n.arguments[l.call.Flags]
	case l.call.Names[0].Act == stage.Open: // creat(2)
		return unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC
	}
	return 0
}

// reads reports whether the call is to read a file.
func (l *looker) reads() bool {
	return l.call.Names[0].Act == stage.Open && l.flags()&stage.OpenWrites == 0
}

// readNames reads the paths of the call from the process.
func (l *looker) readNames() ([]name, error) {
	names := l.names[:0]
	for _, arg := range l.call.Names {
		if arg.Act == 0 {
			break
		}
		raw, err := l.readString(l.n.arguments[arg.Path])
		if err != nil {
			return nil, err
		}
		if raw == "" {
			return nil, unix.ENOENT
		}
		if raw[0] != '/' {
			link := "cwd"
			if arg.Dir != stage.NoArg {
				if fd := int32(l.n.arguments[arg.Dir]); fd != unix.AT_FDCWD { //nolint:gosec // the kernel takes as many bits
					link = "fd/" + strconv.Itoa(int(fd))
				}
			}
			dir, err := readlink("/proc/" + strconv.Itoa(int(l.n.pid)) + "/" + link)
			if err != nil {
				return nil, unix.ENOENT // the call will fail, too
			}
			raw = dir + "/" + raw
		}
		names = append(names, name{path: raw, clean: path.Clean(raw), act: arg.Act})
	}
	return names, nil
}

// readString reads a string of the process, which may change at any time.
func (l *looker) readString(at uint64) (string, error) {
	const page = 4096
	for n := 0; n < len(l.buf); {
		most := min(page-int(at%page), len(l.buf)-n)
		if n == 0 {
			most = min(most, 256) // most are shorter
		}
		local := unix.Iovec{Base: &l.buf[n]}
		local.SetLen(most)
		remote := unix.RemoteIovec{Base: uintptr(at), Len: most}
		got, err := unix.ProcessVMReadv(int(l.n.pid), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
		if err != nil {
			return "", fmt.Errorf("reading the memory of what runs in the sandbox: %w", err)
		}
		if got <= 0 {
			return "", unix.EFAULT
		}
		if end := slices.Index(l.buf[n:n+got], 0); end >= 0 {
			return string(l.buf[:n+end]), nil
		}
		n += got
		at += uint64(got)
	}
	return "", unix.ENAMETOOLONG
}

// who says which process it is, by its number outside, and what it runs.
func (l *looker) who() program {
	by := program{pid: int(l.n.pid)}
	proc := "/proc/" + strconv.Itoa(by.pid) + "/"
	if name, err := readlink(proc + "exe"); err == nil {
		by.name = strings.TrimSuffix(filepath.Base(name), " (deleted)")
	}
	by.args = readArgs(proc + "cmdline")
	// The number is that of a thread. Only of a process is there a descriptor.
	if fd, err := unix.PidfdOpen(by.pid, 0); err == nil {
		_ = unix.Close(fd)
		return by
	}
	by.pid = processOf(by.pid)
	return by
}

// readArgs reads the first arguments of a process, no more than what is enough to tell
// what it is.
func readArgs(file string) []string {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(fd) }()
	var buf [512]byte
	n, err := unix.Read(fd, buf[:])
	if err != nil || n <= 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
}

func readlink(path string) (string, error) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlink(path, buf[:])
	if err != nil {
		return "", err //nolint:wrapcheck // for those above
	}
	return string(buf[:n]), nil
}

// view is the sandbox's files as a process has them.
type view struct {
	root  int
	close bool
}

func (v view) done() {
	if v.close {
		_ = unix.Close(v.root)
	}
}

// view opens the root of the process. All have the same unless namespaces may be made.
func (l *looker) view() (view, error) {
	if root := int(l.root.Load()); root > 0 {
		return view{root: root}, nil
	}
	root, err := unix.Open("/proc/"+strconv.Itoa(int(l.n.pid))+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return view{}, err //nolint:wrapcheck // it means that there is nothing to see
	}
	dev, err := factsOf(root, "dev")
	alive := l.ioctl(notifIDValid, unsafe.Pointer(&l.n.id)) == 0 //nolint:gosec // the call takes a pointer
	if l.nested || !alive || err != nil || !isRoot(root) {
		return view{root: root, close: true}, nil //nolint:nilerr // it is not kept
	}
	l.mark.Store(dev.mount)
	if !l.root.CompareAndSwap(0, int64(root)) {
		_ = unix.Close(root)
	}
	return view{root: int(l.root.Load())}, nil
}

// isRoot tells a root from the folder that a process may have made its own.
func isRoot(root int) bool {
	path, err := readlink("/proc/self/fd/" + strconv.Itoa(root))
	return err == nil && path == "/"
}

// open resolves a path as the process would, as a place only.
func (v view) open(path string, flags uint64) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	for tries := 0; ; tries++ {
		fd, err := unix.Openat2(v.root, path, &how)
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) || tries == 8 {
			return fd, err //nolint:wrapcheck // for judge
		}
	}
}

// judge finds what the mounts refuse, nil if nothing.
func (l *looker) judge(names []name, suspect, late bool) *candidate {
	v, err := l.view()
	if err != nil {
		return nil
	}
	defer v.done()
	if len(names) == 2 && !v.sameMount(names[0].path, names[1].path) {
		return nil // between file systems nothing is renamed
	}
	for _, n := range names {
		var c *candidate
		switch n.act {
		case stage.Open:
			c = l.judgeOpen(v, n, suspect)
		case stage.Change:
			c = l.judgeChange(v, n)
		case stage.Make, stage.Remove, stage.Replace:
			c = l.judgeName(v, n)
		case stage.Connect, stage.Bind:
		}
		if c != nil {
			if late && !l.stands(v) {
				return nil
			}
			c.Call, c.act, c.Count = l.call.Call, n.act, 1
			return c
		}
	}
	return nil
}

// stands reports whether the mounts are still there. With the last process they go, most
// of them, and what is then seen says nothing. The one on /dev is the stage's.
func (l *looker) stands(v view) bool {
	if v.close {
		_, err := readlink("/proc/" + strconv.Itoa(int(l.n.pid)) + "/root")
		return err == nil
	}
	facts, err := factsOf(v.root, "dev")
	return err == nil && facts.mount == l.mark.Load()
}

// facts of a file.
type fileFacts struct {
	mode      uint16
	mountRoot bool
	mount     uint64
}

func factsOf(dir int, name string) (f fileFacts, err error) {
	var stat unix.Statx_t
	err = unix.Statx(dir, name, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE|unix.STATX_MNT_ID, &stat)
	return fileFacts{stat.Mode & unix.S_IFMT, stat.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, stat.Mnt_id}, err
}

func readOnlyMount(fd int) bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(fd, &fs) == nil && fs.Flags&unix.ST_RDONLY != 0
}

// placeOf is the path of what a descriptor stands for.
func placeOf(fd int) (string, bool) {
	path, err := readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return path, err == nil && strings.HasPrefix(path, "/") && !strings.HasSuffix(path, " (deleted)")
}

func (l *looker) judgeOpen(v view, n name, suspect bool) *candidate {
	flags, read := l.flags(), l.reads()
	fd, err := v.open(n.path, flags&unix.O_NOFOLLOW)
	switch {
	case err == nil:
	case !read && errors.Is(err, unix.ENOENT) && flags&unix.O_CREAT != 0:
		dir, base := split(n.path)
		if known, ok := l.folders[dir]; ok && base != "." && base != ".." {
			return &candidate{Attempt: Attempt{Path: filepath.Join(known, base), Write: true}, make: true}
		}
		c := l.judgeName(v, name{path: n.path, act: stage.Make})
		if c != nil {
			c.make = true
		}
		return c
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOENT) && suspect:
		path, ok := l.behindHidden(v, n.path)
		if !ok {
			return nil
		}
		return &candidate{Attempt: Attempt{Path: path, Write: !read}}
	default:
		return nil
	}
	defer func() { _ = unix.Close(fd) }()
	facts, err := factsOf(fd, "")
	if err != nil {
		return nil
	}
	refused := false
	switch {
	case facts.mountRoot && facts.mode != unix.S_IFREG:
		// What hides something, or stands for what is not there.
		path, ok := placeOf(fd)
		kind, exact := l.at(path)
		refused = ok && exact && (hides(kind) || facts.mode == unix.S_IFSOCK && !read)
	case read, facts.mode != unix.S_IFREG, flags&unix.O_CREAT != 0 && flags&unix.O_EXCL != 0,
		flags&(unix.O_ACCMODE|unix.O_TRUNC) == 0:
	default:
		refused = readOnlyMount(fd)
	}
	if !refused {
		return nil
	}
	path, ok := placeOf(fd)
	if !ok {
		return nil
	}
	return &candidate{Attempt: Attempt{Path: path, Write: !read}, make: facts.mode == unix.S_IFSOCK}
}

// behindHidden gives where a path leads that cannot be followed, if what is hidden is
// why.
func (l *looker) behindHidden(v view, path string) (string, bool) {
	for rest := ""; path != "" && path != "/"; {
		i := strings.LastIndexByte(strings.TrimRight(path, "/"), '/')
		if i < 0 {
			return "", false
		}
		rest, path = path[i:]+rest, path[:i]
		fd, err := v.open(path+"/", 0)
		if err != nil {
			continue
		}
		place, ok := placeOf(fd)
		_ = unix.Close(fd)
		place = filepath.Join(place, rest)
		kind, _ := l.at(place)
		return place, ok && hides(kind)
	}
	return "", false
}

func (l *looker) judgeChange(v view, n name) *candidate {
	var follow uint64
	if l.call.NoFollow || l.flags()&unix.AT_SYMLINK_NOFOLLOW != 0 {
		follow = unix.O_NOFOLLOW
	}
	fd, err := v.open(n.path, follow)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(fd) }()
	facts, err := factsOf(fd, "")
	if err != nil || facts.mode != unix.S_IFREG && facts.mode != unix.S_IFDIR && facts.mode != unix.S_IFLNK || !readOnlyMount(fd) {
		return nil
	}
	path, ok := placeOf(fd)
	if !ok {
		return nil
	}
	return &candidate{Attempt: Attempt{Path: path, Write: true}}
}

// judgeName looks at an act on a name in a folder.
func (l *looker) judgeName(v view, n name) *candidate {
	dir, base := split(n.path)
	if base == "" || base == "." || base == ".." {
		return nil
	}
	fd, err := v.open(dir, unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(fd) }()
	facts, err := factsOf(fd, base)
	there := err == nil
	path, ok := placeOf(fd)
	if !ok {
		return nil
	}
	place := path
	path = filepath.Join(path, base)
	c := &candidate{Attempt: Attempt{Path: path, Write: true}}
	switch n.act {
	case stage.Make:
		if there {
			// Taken anyway, unless by what stands for nothing.
			kind, exact := l.at(path)
			if !facts.mountRoot || facts.mode != unix.S_IFSOCK || !exact || kind != stage.ReadOnly {
				return nil
			}
			return c
		}
	case stage.Remove:
		if !there {
			return nil
		}
		fallthrough
	case stage.Replace:
		// A pin may lie beneath another mount, where it is not to be seen.
		if c.OnWay = l.pins[path]; there && (facts.mountRoot || c.OnWay) {
			return c
		}
	case stage.Open, stage.Change, stage.Connect, stage.Bind:
	}
	if !readOnlyMount(fd) {
		if len(l.free) >= maxPending || l.free == nil {
			l.free = map[string]time.Time{}
		}
		l.free[dir] = time.Now().Add(window)
		return nil
	}
	if len(l.folders) < maxPending {
		l.folders[dir] = place
	}
	return c
}

// sameMount reports whether the folders of two paths are in one mount.
func (v view) sameMount(a, b string) bool {
	var mounts [2]uint64
	for i, p := range [...]string{a, b} {
		dir, _ := split(p)
		fd, err := v.open(dir, unix.O_DIRECTORY)
		if err != nil {
			return false
		}
		facts, err := factsOf(fd, "")
		_ = unix.Close(fd)
		if err != nil {
			return false
		}
		mounts[i] = facts.mount
	}
	return mounts[0] == mounts[1]
}

// split divides a path into its folder and its last name.
func split(path string) (dir, base string) {
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "/", path
	}
	return path[:i+1], path[i+1:]
}
