// Command sealdock-ingest is the evidence server: it takes recordings from
// dock agents, proves and stores them, and shows them to people.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sealdock/sealdock/ingest/internal/closed"
)

// version is set by the linker (see the Makefile).
var version = ""

type commands struct {
	Init         initCommand          `cmd:"" help:"Make a new server: data folder, keys, configuration, first sign-in link."`
	Run          runCommand           `cmd:"" help:"Run the server until it is interrupted."`
	DockToken    tokenCommand         `cmd:"" help:"Make the token with which one dock enrols. The server may be running."`
	DockTokens   tokensCommand        `cmd:"" help:"For load tests: make a file of tokens for many docks. The server may be running."`
	DisableDock  disableCommand       `cmd:"" help:"Keep a dock out that was stolen or is no longer used; cameras open to it no more."`
	EnableDock   enableCommand        `cmd:"" help:"Let a disabled dock in again."`
	SetupLink    linkCommand          `cmd:"" help:"Make a new link for the first administrator. The server may be running."`
	Release      releaseCommand       `cmd:"" name:"release-account" help:"Let an account sign in again that is locked after refused sign-ins. The server may be running."`
	ResetFactors resetFactorsCommand  `cmd:"" name:"reset-factors" help:"Take all passkeys, the authenticator app and the recovery codes of an account away, for somebody who lost them. The server may be running."`
	SetPassword  passwordCommand      `cmd:"" name:"set-password" help:"Give an account another password, which is asked for. The server may be running."`
	Scim         scimCommands         `cmd:"" help:"Programs of the directory that provision people (SCIM): make, list and revoke their tokens. The server may be running."`
	Items        itemsCommand         `cmd:"" help:"List the evidence that the catalog holds."`
	Clip         clipCommand          `cmd:"" help:"Make a clip of a recording, an item of its own; the original stays as it is. The server may be running."`
	Package      packageCommand       `cmd:"" help:"Make a custody package: recordings with everything that proves them offline. The server may be running."`
	LogKey       logKeyCommand        `cmd:"" help:"Print the public key of the custody log, to be published: packages are checked with it."`
	LogProof     logProofCommand      `cmd:"" help:"Write the proof that the storing of an item is in the custody log, a small text file. The server may be running."`
	LogStamp     logStampCommand      `cmd:"" help:"Have the time-stamp authority of the configuration stamp the custody log now. The server may be running."`
	LogWitness   logWitnessCommand    `cmd:"" help:"Have the witnesses of the configuration cosign the custody log now. The server may be running."`
	Backup       backupCommand        `cmd:"" help:"Copy everything to another disk, recordings only once. The server may be running."`
	VerifyBackup verifyBackupCommand  `cmd:"" name:"verify-backup" help:"Read and check everything in a backup, and tell what it lacks."`
	Restore      restoreBackupCommand `cmd:"" help:"Make a server of a backup."`
	RestartLog   restartCommand       `cmd:"" name:"restart-log" help:"After the catalog was restored from a backup that lacks the newest events: let the custody log go on under its next name. The server must not run."`
	Fsck         fsckCommand          `cmd:"" help:"Read and check everything: evidence, receipts, custody log."`
	Mirror       mirrorCommand        `cmd:"" help:"Tell how far the copies on another disk have come, or begin them on a new one. The server may be running."`
	Heal         healCommand          `cmd:"" help:"Put damaged or missing recordings back from the mirror or from a backup, proven before and after. The server may be running."`
	Scrub        scrubCommand         `cmd:"" help:"Tell when what is stored was last proven intact, or read items again now. The server may be running."`
	Import       importCommand        `cmd:"" name:"import-spool" help:"Take in what docks have exported to a drive. The server may be running."`
	Keys         keyCommands          `cmd:"" help:"Keys that open evidence: passphrase, rotation, escrow, drill."`
	Freeze       freezeCommand        `cmd:"" help:"Let nothing be deleted of a case's evidence, whoever asks. The server may be running."`
	Unfreeze     unfreezeCommand      `cmd:"" help:"End a freeze. The server may be running."`
	Freezes      freezesCommand       `cmd:"" help:"List freezes, also those that have ended."`
	Cameras      cameraCommands       `cmd:"" help:"Cameras: how they stand, whose they are, holds. The server may be running."`
	Completeness completenessCommand  `cmd:"" help:"Tell what of all that cameras ever showed is not in the store. The server may be running."`
	Alerts       alertCommands        `cmd:"" help:"What people must look at. The server may be running."`
	Firmware     firmwareCommands     `cmd:"" help:"Firmware of cameras: whose is taken, what docks get. The server may be running."`
	Settings     settingsCommands     `cmd:"" help:"Settings of cameras and docks: what cameras record, how long they keep it, how fast docks send. The server may be running."`
	Config       configCommands       `cmd:"" help:"Show the configuration."`
	Version      versionCommand       `cmd:"" help:"Print the version."`
}

const description = `The Sealdock evidence server.

First time:

  sealdock-ingest init --agency springfield --host evidence.example.org ./evidence
  sealdock-ingest run --config ./evidence/ingest.toml

Then open the link that init printed, and enrol a dock:

  sealdock-ingest dock-token --config ./evidence/ingest.toml --station main --dock front-desk`

func main() {
	closed.Enter()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	var c commands
	parser := kong.Parse(&c, kong.Name("sealdock-ingest"), kong.Description(description), kong.ShortUsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}))
	parser.BindTo(ctx, (*context.Context)(nil))
	parser.Bind(streams{out: os.Stdout, log: os.Stderr})
	if err := parser.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "sealdock-ingest:", err)
		if advice := advice(err); advice != "" {
			fmt.Fprintln(os.Stderr, advice)
		}
		stop()
		os.Exit(1)
	}
}

// advice is what to do about errors that the system gives without any.
func advice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "Another program listens there (ss -lntup names it): stop it, or choose another address in the configuration."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nobody listens there: start that service, or correct its address in the configuration."
	case errors.Is(err, fs.ErrPermission):
		return "Run it as the user that owns the data folder; ports below 1024 need CAP_NET_BIND_SERVICE."
	case errors.Is(err, syscall.ENOSPC):
		return "The disk is full: make room on it, then start again. What has a receipt is safe."
	}
	return ""
}
