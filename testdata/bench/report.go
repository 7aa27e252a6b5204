package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// report compares sandboxes that tell what files the command is refused with those that
// do not ("without" is that here): at the start, where nothing is refused, and where
// nothing else is done.
func (b *bench) report() error {
	quiet := b.dir("quiet-home")
	config := filepath.Join(quiet, ".config", "srt", "config.toml")
	if err := os.MkdirAll(filepath.Dir(config), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(config, []byte("[report]\nfiles = false\n"), 0o600); err != nil {
		return err
	}
	dir := b.dir("report")
	inHome := func(home string, before func() error, argv []string) func() (float64, error) {
		return func() (float64, error) {
			if before != nil {
				if err := before(); err != nil {
					return 0, err
				}
			}
			cmd := b.command(dir, argv...)
			cmd.Env = append(slices.Clone(cmd.Env), "HOME="+home)
			took, err := timed(cmd)
			return took.Seconds(), err
		}
	}
	both := func(n int, before func() error, argv ...string) ([]float64, error) {
		return turns(n, inHome(quiet, before, argv), inHome(b.home, before, argv))
	}
	plain := []string{b.srt, "run", "--preset", "none", "--allow-write", ".", "--"}

	medians, err := both(b.runs(200), nil, append(plain, "true")...)
	if err != nil {
		return err
	}
	more := medians[1] - medians[0]
	b.row("reports: start-up", ms(medians[0]), ms(medians[1]), fmt.Sprintf("%+.2f ms", more*1000), "0.2 ms more or less", more <= 0.0002)

	archive := filepath.Join(b.dir("archive"), "files.tar")
	if err := writeArchive(archive); err != nil {
		return err
	}
	empty := func() error {
		// The disk is not still busy with the files of the last turn.
		if err := os.RemoveAll(filepath.Join(dir, "files")); err != nil {
			return err
		}
		return exec.Command("sync").Run()
	}
	if medians, err = both(max(2, b.runs(6)), empty, append(plain, "tar", "xf", archive)...); err != nil {
		return err
	}
	if err := empty(); err != nil {
		return err
	}
	b.ratio("reports: unpacking 20,000 files", medians, 1.25)

	fresh := func() error {
		if err := os.RemoveAll(filepath.Join(dir, "node_modules")); err != nil {
			return err
		}
		_ = os.Remove(filepath.Join(dir, "package-lock.json"))
		return os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name": "bench", "version": "1.0.0", "private": true}`), 0o600)
	}
	install := []string{b.srt, "npm", "install", "--no-audit", "--no-fund", "--no-update-notifier", "express"}
	if medians, err = both(max(2, b.runs(6)), fresh, install...); err != nil {
		return err
	}
	b.ratio("reports: npm install express, warm cache", medians, 1.05)

	script := filepath.Join(b.dir("archive"), "denied.sh")
	// Every one says why it failed, as commands do.
	loop := "i=0; while [ $i -lt 10000 ]; do echo x >/etc/srt-bench-$i; i=$((i+1)); done 2>/dev/null; true\n"
	if err := os.WriteFile(script, []byte(loop), 0o600); err != nil {
		return err
	}
	if medians, err = both(b.runs(10), nil, append(plain, "bash", script)...); err != nil {
		return err
	}
	b.ratio("reports: 10,000 denied opens and nothing else", medians, 1.5)
	return nil
}

// ratio prints a line of two times in seconds.
func (b *bench) ratio(what string, medians []float64, most float64) {
	ratio := medians[1] / medians[0]
	b.row(what, fmt.Sprintf("%.2f s", medians[0]), fmt.Sprintf("%.2f s", medians[1]), fmt.Sprintf("%.2f x", ratio),
		fmt.Sprintf("%g x or less", most), ratio <= most)
}

// writeArchive makes one of 20,000 small files.
func writeArchive(path string) error {
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	text := bytes.Repeat([]byte("x"), 1000)
	for i := range 200 {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: fmt.Sprintf("files/d%d/", i), Mode: 0o755}); err != nil {
			return err
		}
		for j := range 100 {
			if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("files/d%d/f%d.js", i, j), Mode: 0o644, Size: int64(len(text))}); err != nil {
				return err
			}
			if _, err := w.Write(text); err != nil {
				return err
			}
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, data.Bytes(), 0o600)
}
