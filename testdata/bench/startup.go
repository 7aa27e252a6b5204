package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// bare is bubblewrap with the namespaces that srt asks for, and nothing else.
var bare = []string{
	"bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
	"--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--unshare-cgroup-try",
	"--die-with-parent", "--cap-drop", "ALL", "--", "true",
}

func (b *bench) whole() []string {
	return []string{b.srt, "run", "--preset", "none", "--allow-write", ".", "--allow-domain", "example.com", "--", "true"}
}

func (b *bench) starter(dir string, argv []string) func() (float64, error) {
	return func() (float64, error) {
		took, err := timed(b.command(dir, argv...))
		return took.Seconds(), err
	}
}

// startup compares a whole run of true with bare bubblewrap.
func (b *bench) startup() error {
	dir := b.dir("small")
	if text, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("git init: %w: %s", err, text)
	}
	medians, err := turns(b.runs(100), b.starter(dir, bare), b.starter(dir, b.whole()))
	if err != nil {
		return err
	}
	ratio := medians[1] / medians[0]
	b.row("start-up: a whole run of true, against bare bwrap", ms(medians[0]), ms(medians[1]),
		fmt.Sprintf("%.2f x", ratio), "2.5 x or less", ratio <= 2.5)
	return nil
}

// route compares what the shell integration calls with a run, for a command that a
// preset matches, and with the program itself, for one that none does.
func (b *bench) route() error {
	dir := b.dir("route")
	npm := filepath.Join(b.dir("bin"), "npm")
	if err := os.WriteFile(npm, []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
		return err
	}
	// What is cheap stands between: the kernel goes on to clear away a sandbox when it
	// has ended.
	medians, err := turns(b.runs(100),
		b.starter(dir, []string{b.srt, "run", "--", npm}), b.starter(dir, []string{"true"}),
		b.starter(dir, []string{b.srt, "route", "--", npm}), b.starter(dir, []string{b.srt, "route", "--", "true"}))
	if err != nil {
		return err
	}
	more := medians[2] - medians[0]
	b.row("route: a command that a preset matches, against run", ms(medians[0]), ms(medians[2]),
		fmt.Sprintf("%+.1f ms", more*1000), "1 ms more or less", more <= 0.001)
	more = medians[3] - medians[1]
	b.row("route: one that none matches, against itself", ms(medians[1]), ms(medians[3]),
		fmt.Sprintf("%+.1f ms", more*1000), "3 ms more or less", more <= 0.003)
	return nil
}

// tree compares a run in a folder with 100,000 files with one in an empty folder.
func (b *bench) tree() error {
	const folders, files = 1000, 100
	small, big := b.dir("empty"), b.dir("big")
	for i := range folders {
		dir := filepath.Join(big, fmt.Sprintf("p%d/q%d/r%d", i%10, i/10%10, i/100))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for j := range files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%d.js", j)), nil, 0o600); err != nil {
				return err
			}
		}
	}
	defer func() { _ = os.RemoveAll(big) }()
	medians, err := turns(b.runs(30), b.starter(small, b.whole()), b.starter(big, b.whole()))
	if err != nil {
		return err
	}
	more := medians[1] - medians[0]
	b.row("start-up: in a tree of 100,000 files, against none", ms(medians[0]), ms(medians[1]),
		fmt.Sprintf("+%.0f ms", more*1000), "60 ms more or less", more <= 0.060)
	return nil
}

// npm compares npm install express inside and outside, with what it downloads in
// the cache.
func (b *bench) npm() error {
	project := func(name string) string { return b.dir("npm-" + name) }
	install := []string{"npm", "install", "--no-audit", "--no-fund", "--no-update-notifier", "express"}
	fresh := func(dir string, argv []string) func() (float64, error) {
		return func() (float64, error) {
			if err := os.RemoveAll(dir); err != nil {
				return 0, err
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return 0, err
			}
			if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name": "bench", "version": "1.0.0", "private": true}`), 0o600); err != nil {
				return 0, err
			}
			return b.starter(dir, argv)()
		}
	}
	medians, err := turns(max(2, b.runs(6)), fresh(project("outside"), install), fresh(project("inside"), slices.Concat([]string{b.srt}, install)))
	if err != nil {
		return err
	}
	ratio := medians[1] / medians[0]
	b.row("npm install express, warm cache", fmt.Sprintf("%.2f s", medians[0]), fmt.Sprintf("%.2f s", medians[1]),
		fmt.Sprintf("%.2f x", ratio), "1.1 x or less", ratio <= 1.1)
	return nil
}
