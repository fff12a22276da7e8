package tool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"srvctl/tests/harness/clone"
)

const (
	// unpackTimeout bounds everything that is done for one program: Chromium
	// and its libraries are about 120 MB.
	unpackTimeout = 3 * time.Minute
	// failureLasts is how long a failure is believed by other processes, so
	// that a machine without a network pays the waiting once per run.
	failureLasts = 5 * time.Minute
)

// packages says which Debian package brings a program.
var packages = map[string]string{
	"ab":           "apache2-utils",
	"caddy":        "caddy",
	"chromedriver": "chromium-driver",
	"chromium":     "chromium",
	"curl":         "curl",
	"h2load":       "nghttp2-client",
	"h2o":          "h2o",
	"haproxy":      "haproxy",
	"htpasswd":     "apache2-utils",
	"lighttpd":     "lighttpd",
	"nghttp":       "nghttp2-client",
	"nginx":        "nginx",
	"openssl":      "openssl",
	"strace":       "strace",
	"wrk":          "wrk",
}

var found struct {
	sync.Mutex
	path map[string]string
	err  map[string]error
}

// Find returns the path of a program that can be started as it is: the program
// itself, or a two-line script that gives it its libraries and becomes it by
// exec, so the process that was started is the program.
func Find(ctx context.Context, name string) (string, error) {
	found.Lock()
	defer found.Unlock()
	if path, ok := found.path[name]; ok {
		return path, nil
	}
	if err, ok := found.err[name]; ok {
		return "", err
	}
	path, err := find(ctx, name)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
		if ctx.Err() == nil { // the caller's hurry says nothing of the program
			found.err = with(found.err, name, err)
		}
		return "", err
	}
	found.path = with(found.path, name, path)
	return path, nil
}

func with[V any](m map[string]V, key string, v V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = v
	return m
}

func find(ctx context.Context, name string) (string, error) {
	if path, ok := onPath(name); ok {
		return path, nil
	}
	pkg, ok := packages[name]
	if !ok {
		return "", errors.New("not on PATH, and no Debian package is known for it")
	}
	dir, err := clone.Cache("tools")
	if err != nil {
		return "", err
	}
	wrapper := filepath.Join(dir, "bin", name)
	if usable(wrapper) {
		return wrapper, nil
	}
	ctx, cancel := context.WithTimeout(ctx, unpackTimeout)
	defer cancel()
	unlock, err := clone.Lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if usable(wrapper) { // unpacked by the process that held the lock
		return wrapper, nil
	}
	failure := filepath.Join(dir, pkg+".failed")
	if reason, ok := failedBefore(failure); ok {
		return "", errors.New(reason)
	}
	if err := install(ctx, dir, pkg, name); err != nil {
		os.WriteFile(failure, []byte(err.Error()), 0o644)
		return "", err
	}
	return wrapper, nil
}

// onPath looks where servers live too, which a user's PATH leaves out.
func onPath(name string) (string, bool) {
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, true
		}
	}
	return "", false
}

// usable says whether the wrapper is there and still means this clone, which
// may have been moved: the wrapper holds absolute paths.
func usable(wrapper string) bool {
	text, err := os.ReadFile(wrapper)
	return err == nil && strings.Contains(string(text), filepath.Dir(filepath.Dir(wrapper)))
}

func failedBefore(path string) (reason string, ok bool) {
	info, err := os.Stat(path)
	if err != nil || time.Since(info.ModTime()) > failureLasts {
		return "", false
	}
	text, err := os.ReadFile(path)
	return string(text), err == nil
}
