// Command scan-tls has scanners of others, testssl.sh and sslscan, look at the HTTPS
// address of a running server, with the default and with the oldest TLS that it takes,
// and holds what they find against a bar: see judge.go and exceptions.txt. It prints
// counts, and with --write puts them into docs/edge.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	write := flag.Bool("write", false, "put the counts into docs/edge.md")
	program := flag.String("ingest", "bin/sealdock-ingest", "the server's program")
	flag.Parse()
	if err := run(ctx, *program, *write); err != nil {
		fmt.Fprintln(os.Stderr, "scan-tls:", err)
		stop()
		os.Exit(1)
	}
}
