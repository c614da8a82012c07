//go:build !js

// Command page makes verify.html: the verifier for browsers, in one file that needs
// no network and no server. It compiles this very package to WebAssembly (see
// page_js.go) and puts it, Go's own loader and page.html into one file.
//
//	go run ./ingest/verifier/page -o FILE
package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/base64"
	"flag"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed page.html
var page string

func main() {
	out := flag.String("o", "verify.html", "file to write")
	version := flag.String("version", "", "version that the page shows")
	flag.Parse()
	if err := assemble(*out, *version); err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

func assemble(out, version string) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("asking for Go's folder: %w", err)
	}
	loader, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return fmt.Errorf("reading Go's loader for browsers: %w", err)
	}
	program, err := compile()
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	z.Write(program) // a bytes.Buffer takes all
	if err := z.Close(); err != nil {
		return err
	}
	if version != "" {
		version = "Version " + version + "."
	}
	text := strings.NewReplacer(
		"<!--version-->", html.EscapeString(version),
		"/*loader*/", strings.ReplaceAll(string(loader), "</script", "<\\/script"),
		"/*program*/", base64.StdEncoding.EncodeToString(packed.Bytes()),
	).Replace(page)
	if err := os.WriteFile(out, []byte(text), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, of which the program is %d (%d as WebAssembly)\n", out, len(text), packed.Len(), len(program))
	return nil
}

// compile builds the page's program.
func compile() ([]byte, error) {
	dir, err := os.MkdirTemp("", "page-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "verify.wasm")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", file, "github.com/sealdock/sealdock/ingest/verifier/page")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("compiling the page's program: %w", err)
	}
	return os.ReadFile(file)
}
