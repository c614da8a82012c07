// Command waf runs a server behind nginx with ModSecurity and the OWASP Core Rule Set,
// as nginx.conf and rules.conf of this folder have them, and asks both: what people and
// programs do must be answered through the firewall as without it, and what attackers
// send must not reach the server. It prints counts.
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
	program := flag.String("ingest", "bin/sealdock-ingest", "the server's program")
	flag.Parse()
	if err := run(ctx, *program); err != nil {
		fmt.Fprintln(os.Stderr, "waf:", err)
		stop()
		os.Exit(1)
	}
}
