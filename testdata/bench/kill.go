package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// kill ends srt by SIGKILL at random moments and counts what is left.
func (b *bench) kill() error {
	dir := b.dir("kill")
	if _, err := timed(b.command(dir, "git", "init", "-q", ".")); err != nil {
		return err
	}
	before, err := mounts()
	if err != nil {
		return err
	}
	const longest = 60 * time.Millisecond
	times := b.runs(200)
	for range times {
		cmd := b.command(dir, b.srt, "run", "--preset", "none", "--allow-write", ".", "--allow-domain", "example.com",
			"--", b.self, "client-sleep", dir)
		if err := cmd.Start(); err != nil {
			return err
		}
		time.Sleep(rand.N(longest))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	time.Sleep(2 * time.Second)

	processes := b.left(dir)
	after, err := mounts()
	if err != nil {
		return err
	}
	// Placeholders in the project may be sockets; these are counted further down.
	sockets := countFiles(b.home, os.ModeSocket) + countFiles(b.dir("tmp"), os.ModeSocket)
	count := func(what string, n int) {
		b.row(fmt.Sprintf("SIGKILL %d times: %s", times, what), "", fmt.Sprint(n), "", "0", n == 0)
	}
	count("processes after 2 s", len(processes))
	count("mounts after 2 s", max(0, after-before))
	count("socket files after 2 s", sockets)
	for _, process := range processes {
		fmt.Fprintln(b.out, "  ", process)
	}

	failed := 0
	if _, err := timed(b.command(dir, b.srt, "run", "--preset", "none", "--allow-write", ".", "--", "true")); err != nil {
		failed = 1
		fmt.Fprintln(b.out, "  ", err)
	}
	count("next run failed", failed)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	placeholders := []string{}
	for _, entry := range entries {
		if entry.Name() != ".git" {
			placeholders = append(placeholders, entry.Name())
		}
	}
	status, err := b.command(dir, "git", "status", "--porcelain").Output()
	if err != nil {
		return err
	}
	count("placeholders after the next run", len(placeholders)+strings.Count(string(status), "\n"))
	tmp, err := os.ReadDir(b.dir("tmp"))
	if err != nil {
		return err
	}
	count("temporary files after the next run", len(tmp))
	return nil
}

// left are the processes whose program is the srt under test, that work in dir, or
// that name it.
func (b *bench) left(dir string) []string {
	var found []string
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		if filepath.Base(process) == fmt.Sprint(os.Getpid()) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(process, "cmdline"))
		if err != nil {
			continue
		}
		program, _ := os.Readlink(filepath.Join(process, "exe"))
		cwd, _ := os.Readlink(filepath.Join(process, "cwd"))
		if program == b.srt || strings.HasPrefix(cwd, dir) || strings.Contains(string(line), dir) {
			found = append(found, filepath.Base(process)+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func mounts() (int, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	return strings.Count(string(text), "\n"), err
}

// countFiles counts the files of a kind below dir.
func countFiles(dir string, kind os.FileMode) int {
	n := 0
	_ = filepath.WalkDir(dir, func(_ string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil && entry.Type()&os.ModeType == kind {
			n++
		}
		return nil
	})
	return n
}
