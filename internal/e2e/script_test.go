package e2e

import (
	"context"

	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// patience is how long a script waits for what it awaits.
const patience = 25 * time.Second

// Each script in testdata is an operator's session with the built programs.
//
// In its environment are free addresses: $WEB (TCP), $QUIC (UDP) and $USBIP (TCP)
// of 127.0.0.1, and $WEB2, $QUIC2, $USBIP2 for a second of each. Two commands are
// our own:
//
//	reachable ADDRESS           wait until something listens there (TCP)
//	await PATTERN PROGRAM ...   run it until it succeeds and prints the pattern
func TestSessionsAtTheCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		Setup:              setUp,
		RequireUniqueNames: true,
		Cmds:               map[string]func(*testscript.TestScript, bool, []string){"reachable": reachable, "await": await},
	})
}

func setUp(env *testscript.Env) error {
	env.Setenv("PATH", filepath.Dir(built.Agent)+string(os.PathListSeparator)+env.Getenv("PATH"))
	for _, name := range []string{"WEB", "WEB2", "USBIP", "USBIP2", "QUIC", "QUIC2"} {
		free, address, err := station.FreeAddress()
		if err != nil {
			return err
		}
		defer free() // held until all are chosen, so that they differ
		env.Setenv(name, address)
	}
	return nil
}

func reachable(script *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		script.Fatalf("usage: reachable ADDRESS")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	script.Check(station.Wait(ctx, func() (bool, string) {
		conn, err := net.DialTimeout("tcp", args[0], time.Second)
		if err != nil {
			return false, err.Error()
		}
		return conn.Close() == nil, ""
	}))
}

// await leaves what the program printed last for the commands stdout and stderr.
func await(script *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		script.Fatalf("usage: await PATTERN PROGRAM [ARGUMENT ...]")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	script.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, errs strings.Builder
	err = station.Wait(ctx, func() (bool, string) {
		out.Reset()
		errs.Reset()
		cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(built.Agent), args[1]), args[2:]...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = script.MkAbs("."), &out, &errs
		for _, name := range []string{"PATH", "SEALDOCK_INGEST_CONFIG", "SEALDOCK_AGENT_DATA"} {
			if value := script.Getenv(name); value != "" {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
		}
		err := cmd.Run()
		return err == nil && pattern.MatchString(out.String()), "it printed\n" + out.String() + errs.String()
	})
	script.Check(err)
	script.Stdout().Write([]byte(out.String()))
	script.Stderr().Write([]byte(errs.String()))
}
