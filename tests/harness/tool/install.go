package tool

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// install unpacks pkg and whatever it lacks into dir/pkg/PKG and writes the
// wrapper dir/bin/NAME.
func install(ctx context.Context, dir, pkg, name string) error {
	for _, need := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(need); err != nil {
			return fmt.Errorf("not on PATH, and there is no %s to get the Debian package %s with", need, pkg)
		}
	}
	root := filepath.Join(dir, "pkg", pkg)
	if !built(root) {
		if err := unpack(ctx, dir, pkg, root); err != nil {
			return err
		}
	}
	program, err := locate(root, name)
	if err != nil {
		return err
	}
	libraries := libraryFolders(root)
	if err := complete(ctx, program, libraries); err != nil {
		return err
	}
	return writeWrapper(filepath.Join(dir, "bin", name), program, libraries)
}

func built(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

// unpack makes root appear whole or not at all.
func unpack(ctx context.Context, dir, pkg, root string) error {
	debs := filepath.Join(dir, "debs", pkg)
	unfinished := root + ".unfinished"
	for _, d := range []string{debs, unfinished} {
		if err := os.RemoveAll(d); err != nil {
			return err
		}
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	defer os.RemoveAll(debs)
	a := apt{state: filepath.Join(dir, "apt"), debs: debs}
	if err := a.download(ctx, pkg); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("apt-get downloaded no package for %s", pkg)
	}
	for _, file := range files {
		if _, err := run(ctx, "", "dpkg-deb", "-x", file, unfinished); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	return os.Rename(unfinished, root)
}

// locate finds the program in the unpacked tree. Debian's Chromium is started
// by a script that only works in its installed place, so the real one is taken.
func locate(root, name string) (string, error) {
	for _, sub := range []string{"usr/lib/" + name, "usr/bin", "usr/sbin", "bin", "sbin"} {
		path := filepath.Join(root, sub, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("its package holds no program of that name")
}

// libraryFolders lists the folders of root that hold shared libraries.
func libraryFolders(root string) []string {
	var dirs []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib", "usr/lib/*-linux-gnu*/*"} {
		matches, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, dir := range matches {
			if libs, _ := filepath.Glob(filepath.Join(dir, "lib*.so*")); len(libs) > 0 {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// complete asks the dynamic loader whether every library of the program is
// there, so that a missing one is told now and not by a failing benchmark.
func complete(ctx context.Context, program string, libraries []string) error {
	if !isELF(program) {
		return nil
	}
	cmd := exec.CommandContext(ctx, "ldd", program)
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("not a dynamic executable")) {
		return nil
	}
	var missing []string
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		if lib, ok := strings.CutSuffix(strings.TrimSpace(sc.Text()), " => not found"); ok {
			missing = append(missing, lib)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("unpacked, but the shared libraries %s are missing", strings.Join(missing, ", "))
	}
	if err != nil {
		return fmt.Errorf("unpacked, but it cannot be loaded: ldd: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func isELF(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 4)
	_, err = f.Read(magic)
	return err == nil && string(magic) == "\x7fELF"
}

func writeWrapper(path, program string, libraries []string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q \"$@\"\n", strings.Join(libraries, ":"), program)
	unfinished := path + ".unfinished"
	if err := os.WriteFile(unfinished, []byte(text), 0o755); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}

// apt calls apt-get with every file it writes kept below state.
type apt struct{ state, debs string }

// options keep apt-get away from the system's caches and locks. The system's
// package lists are read, or own ones once update has made them.
func (a apt) options() []string {
	options := []string{
		"-q", "-y",
		"-o", "Debug::NoLocking=1",
		"-o", "APT::Sandbox::User=", // root need not become _apt, which could not write here
		"-o", "Dir::Cache=" + filepath.Join(a.state, "cache"),
		"-o", "Acquire::Retries=1",
		"-o", "Acquire::http::Timeout=20",
	}
	if lists := a.lists(); built(lists) {
		options = append(options, "-o", "Dir::State::lists="+lists)
	}
	return options
}

func (a apt) lists() string { return filepath.Join(a.state, "lists") }

// download fetches pkg and those of its dependencies that are not installed.
// The system's lists may be missing (container images ship without) or older
// than the mirror: then own lists are fetched, once.
func (a apt) download(ctx context.Context, pkg string) error {
	if err := os.MkdirAll(filepath.Join(a.state, "cache", "archives", "partial"), 0o755); err != nil {
		return err
	}
	first := a.fetch(ctx, pkg)
	if first == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(a.lists(), "partial"), 0o755); err != nil {
		return err
	}
	if _, err := run(ctx, a.debs, "apt-get", append(a.options(), "-o", "APT::Update::Error-Mode=any", "update")...); err != nil {
		os.RemoveAll(a.lists()) // half a set of lists would hide the system's
		return fmt.Errorf("%w; then %w", first, err)
	}
	return a.fetch(ctx, pkg)
}

func (a apt) fetch(ctx context.Context, pkg string) error {
	plan, err := run(ctx, a.debs, "apt-get", append(a.options(), "--simulate", "--no-install-recommends", "install", pkg)...)
	if err != nil {
		return err
	}
	wanted := planned(plan)
	if !slices.Contains(wanted, pkg) { // installed, yet not on PATH: unpack it all the same
		wanted = append(wanted, pkg)
	}
	_, err = run(ctx, a.debs, "apt-get", append(append(a.options(), "download"), wanted...)...)
	return err
}

// planned reads the packages that a simulated installation would install:
// lines "Inst NAME [OLD] (VERSION ...)".
func planned(plan []byte) []string {
	var names []string
	for line := range strings.Lines(string(plan)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Inst" {
			names = append(names, fields[1])
		}
	}
	return names
}

// run returns what a command printed, or an error with its last line of
// complaint.
func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	lines := strings.Split(strings.TrimSpace(complaints.String()), "\n")
	return nil, fmt.Errorf("%s %s: %w: %s", name, args[len(args)-1], err, lines[len(lines)-1])
}
