package clone

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	// buildTimeout bounds a build from an empty Go cache on a small machine.
	buildTimeout = 5 * time.Minute
	// keptBinaries bounds what old builds may take in .cache.
	keptBinaries = 12
	// tags are those of "make build", and the one that lets workers fail on
	// purpose.
	tagsWithFaults = "urfave_cli_no_docs,urfave_cli_no_suggest,faults"
)

// variant says how a binary differs from the one that users have.
type variant struct{ race, faults bool }

// Binary returns the path of the server's binary, made by "make build", so that
// the tests test what a user builds. It is built once for one content of the
// sources, whichever process asks first.
//
// HARNESS_SRVCTL names another binary to test instead; HARNESS_RACE=1 asks for
// one with the race detector.
func Binary(ctx context.Context) (string, error) {
	if path := os.Getenv("HARNESS_SRVCTL"); path != "" {
		return filepath.Abs(path)
	}
	return built(ctx, variant{race: os.Getenv("HARNESS_RACE") == "1"})
}

// FaultyBinary returns the path of a binary whose workers fail where the file
// named by $FAULTS_FILE says so. It is always made from this clone.
func FaultyBinary(ctx context.Context) (string, error) {
	return built(ctx, variant{race: os.Getenv("HARNESS_RACE") == "1", faults: true})
}

func built(ctx context.Context, v variant) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	key, err := sourceKey(root, v)
	if err != nil {
		return "", err
	}
	dir, err := Cache("bin", "test")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, key, "srvctl")
	if isThere(bin) {
		return bin, nil
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	unlock, err := Lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if isThere(bin) { // made by the process that held the lock
		return bin, nil
	}
	prune(dir)
	return bin, build(ctx, root, bin, v)
}

func isThere(bin string) bool {
	info, err := os.Stat(bin)
	return err == nil && info.Mode().IsRegular()
}

// build makes bin appear whole or not at all.
func build(ctx context.Context, root, bin string, v variant) error {
	if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
		return err
	}
	unfinished := bin + ".unfinished"
	args := []string{"-s", "-C", root, "build", "BINARY=" + unfinished}
	if v.race {
		args = append(args, "RACE=1")
	}
	if v.faults {
		args = append(args, "TAGS="+tagsWithFaults)
	}
	cmd := exec.CommandContext(ctx, "make", args...)
	// A make that runs the tests must not lend its job server to this one.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "MAKEFLAGS" || name == "MAKELEVEL" || name == "MFLAGS" || name == "MAKEOVERRIDES"
	})
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w\n%s", err, out)
	}
	return os.Rename(unfinished, bin)
}

// sourceKey names the content the binary is made from.
func sourceKey(root string, v variant) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOARCH, v)
	for _, top := range []string{"go.mod", "go.sum", "Makefile", "conf", "master", "proto", "shared", "worker"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			return hashFile(h, path)
		})
		if err != nil {
			return "", fmt.Errorf("read the sources of the binary: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func hashFile(h io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintln(h, path)
	_, err = io.Copy(h, f)
	return err
}

// prune removes the oldest builds. A test that still runs one keeps its open
// file, and the newest ones, which a parallel test may be about to start, stay.
func prune(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	age := func(e os.DirEntry) time.Time {
		info, err := e.Info()
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() })
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return age(b).Compare(age(a)) })
	for i, e := range entries {
		if i >= keptBinaries-1 {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}
