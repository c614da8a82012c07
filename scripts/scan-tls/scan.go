package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed exceptions.txt
var argued string

// look is one setting with what the scanners found.
type look struct {
	oldest           string // tls.minimum
	testssl, sslscan verdict
	err              error
}

func run(ctx context.Context, program string, write bool) error {
	except, err := readExceptions(argued)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "scan-tls")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	looks := []*look{{oldest: "1.3"}, {oldest: "1.2"}}
	texts := make([]texts, len(looks))
	fmt.Println("testssl.sh and sslscan look at two servers; that takes some minutes")
	var all sync.WaitGroup
	for i, l := range looks {
		all.Go(func() { texts[i], l.err = scanned(ctx, program, filepath.Join(folder, l.oldest), l.oldest) })
	}
	all.Wait()
	bad := 0
	for i, l := range looks {
		if l.err == nil {
			l.testssl, l.err = judgeTestSSL(texts[i].testssl, l.oldest == "1.2", except)
		}
		if l.err == nil {
			l.sslscan, l.err = judgeSSLScan(texts[i].sslscan, l.oldest == "1.2")
		}
		if l.err != nil {
			return fmt.Errorf("tls.minimum %s: %w", l.oldest, l.err)
		}
		for _, b := range append(l.testssl.Bad, l.sslscan.Bad...) {
			fmt.Printf("tls.minimum %s: %s\n", l.oldest, b)
			bad++
		}
	}
	for _, id := range except.unused() {
		fmt.Printf("the exception %s is met nowhere: take it out of exceptions.txt\n", id)
		bad++
	}
	table := report(looks)
	fmt.Print(table)
	if bad > 0 {
		return fmt.Errorf("%d findings below the bar", bad)
	}
	if write {
		return putInto("docs/edge.md", table)
	}
	return nil
}

// report is the table of counts.
func report(looks []*look) string {
	var b strings.Builder
	b.WriteString("| oldest TLS | scanner | looked at | below the bar | argued |\n|---|---|---|---|---|\n")
	for _, l := range looks {
		fmt.Fprintf(&b, "| %s | testssl.sh %s | %d | %d | %s |\n", l.oldest, version("testssl.sh"), l.testssl.Looked, len(l.testssl.Bad), strings.Join(l.testssl.Excepted, ", "))
		fmt.Fprintf(&b, "| %s | sslscan %s | %d | %d | none |\n", l.oldest, version("sslscan"), l.sslscan.Looked, len(l.sslscan.Bad))
	}
	return b.String()
}

// version of a package of Debian's; "" where it is not one.
func version(pkg string) string {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", pkg).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

const (
	begin = "<!-- what was found: make scan-tls FLAGS=--write -->\n"
	end   = "<!-- end of what was found -->"
)

func putInto(path, table string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return fmt.Errorf("%s has no place for the table", path)
	}
	table += "\n" + time.Now().UTC().Format("January 2006") + ".\n"
	return os.WriteFile(path, []byte(head+begin+table+end+tail), 0o644)
}

// texts is what the scanners wrote.
type texts struct{ testssl, sslscan []byte }

// scanned makes a server, runs it, and has both scanners look at it.
func scanned(ctx context.Context, program, folder, oldest string) (t texts, err error) {
	port, err := free()
	if err != nil {
		return t, err
	}
	at := "localhost:" + port
	config := filepath.Join(folder, "data", "ingest.toml")
	for _, args := range [][]string{
		{"init", "--agency", "scan", "--host", "localhost", "--listen-https", "127.0.0.1:" + port, "--listen-quic", "127.0.0.1:0", filepath.Join(folder, "data")},
		{"settings", "set", "--config", config, "tls.minimum", oldest, "--reason", "scan"},
	} {
		if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
			return t, fmt.Errorf("%s: %w: %s", args[0], err, out)
		}
	}
	server := exec.CommandContext(ctx, program, "run", "--config", config)
	var log bytes.Buffer
	server.Stderr = &log
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	if err := server.Start(); err != nil {
		return t, err
	}
	defer func() {
		server.Process.Signal(syscall.SIGTERM)
		if ended := server.Wait(); ended != nil {
			err = errors.Join(err, fmt.Errorf("the server: %w: %s", ended, log.String()))
		}
	}()
	if err := listens(ctx, at); err != nil {
		return t, err
	}
	authority := filepath.Join(folder, "data", "authority", "authority.crt")
	xml, json := filepath.Join(folder, "sslscan.xml"), filepath.Join(folder, "testssl.json")
	if out, err := exec.CommandContext(ctx, "sslscan", "--no-colour", "--show-certificate", "--xml="+xml, at).CombinedOutput(); err != nil {
		return t, fmt.Errorf("sslscan: %w: %s", err, out)
	}
	if t.sslscan, err = os.ReadFile(xml); err != nil {
		return t, err
	}
	// Its exit code counts what it dislikes; judge does.
	out, err := exec.CommandContext(ctx, "testssl", "--warnings", "batch", "--color", "0", "--add-ca", authority, "--jsonfile", json, at).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return t, fmt.Errorf("testssl.sh: %w", err)
	}
	if t.testssl, err = os.ReadFile(json); err != nil {
		return t, fmt.Errorf("testssl.sh wrote nothing: %w: %s", err, out)
	}
	return t, nil
}

func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func listens(ctx context.Context, at string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the server does not listen: %w", err)
		}
	}
}
