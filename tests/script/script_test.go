package script

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"srvctl/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestScripts(t *testing.T) {
	binary := harness.Binary(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return setup(env, binary) },
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("no condition is called %q", name)
			}
			return os.Getuid() == 0, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await":        await,
			"awaitfile":    awaitFile,
			"awaitgone":    awaitGone,
			"awaitrefused": awaitRefused,
			"connect":      connect,
			"exits":        exits,
			"get":          get,
			"http":         fetch,
			"occupy":       occupy,
			"signal":       sendSignal,
			"talk":         talk,
			"unprivileged": unprivileged,
			"user":         user,
		},
	})
}

// setup gives a script a server of its own.
func setup(env *testscript.Env, binary string) error {
	// Workers that are not root must get into the folder, and testscript's own
	// are for their owner alone.
	for _, dir := range []string{env.WorkDir, filepath.Dir(env.WorkDir)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	run, err := os.MkdirTemp("", "script-") // a path that is short enough for a socket
	if err != nil {
		return err
	}
	socket := filepath.Join(run, "srvctl.sock")
	env.Setenv("RUN", run)
	bin := filepath.Join(run, "bin") // the binary may have any name: HARNESS_SRVCTL
	if err := errors.Join(os.Mkdir(bin, 0o755), os.Symlink(binary, filepath.Join(bin, "srvctl"))); err != nil {
		return err
	}
	env.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	env.Setenv("HARNESS_OWNER", os.Getenv("HARNESS_OWNER"))
	env.Setenv("SRVCTL_PID_FILE", filepath.Join(run, "srvctl.pid"))
	env.Setenv("SRVCTL_CONTROL_SOCKET", socket)
	env.Setenv("SRVCTL_ADMIN_ADDRESS", "127.0.0.1:0")
	env.Setenv("SRVCTL_LISTENERS_HTTP_ADDRESS", "127.0.0.1:0")
	env.Setenv("SRVCTL_WORKERS", "2")
	env.Defer(func() {
		stop := exec.Command(binary, "stop", "--now", "--socket", socket)
		if out, err := stop.CombinedOutput(); err != nil && stop.ProcessState.ExitCode() != 3 {
			fmt.Fprintf(os.Stderr, "stop what the script has left: %v\n%s", err, out)
		}
		os.RemoveAll(run)
	})
	return nil
}
