package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/telemetry"
)

type backupCommand struct {
	configured
	Folder     string `arg:"" type:"path" help:"Where backups lie, on another disk. Each is a folder of its own in it; recordings that are in the one before are linked to, not written again."`
	NoEvidence bool   `help:"Leave the recordings out: catalog, custody log and keys only."`
}

// Run makes a backup.
func (b *backupCommand) Run(ctx context.Context, to streams) error {
	config, err := b.existing()
	if err != nil {
		return err
	}
	began := time.Now()
	made, err := server.MakeBackup(ctx, config, b.Folder, !b.NoEvidence, time.Now)
	if err != nil {
		return err
	}
	k := made.Copied
	fmt.Fprintf(to.out, "The backup is %s: %d entries of the custody log, %d files (%d as in the backup before), %d bytes written, in %v.\n",
		made.Folder, made.Entries, k.Files, k.Linked, k.Bytes, time.Since(began).Round(time.Millisecond))
	fmt.Fprintf(to.out, "It holds the keys that open evidence. See that it is whole: sealdock-ingest verify-backup %s\n", made.Folder)
	return nil
}

type verifyBackupCommand struct {
	Backup     string `arg:"" type:"path" help:"A folder that backup made."`
	Checkpoint string `type:"path" placeholder:"FILE" help:"The newest checkpoint that a witness or another server has: tells what the backup lacks."`
	Quick      bool   `help:"Leave the contents of the recordings unread."`
}

// Run checks a backup as fsck checks a store.
func (v *verifyBackupCommand) Run(ctx context.Context, to streams) error {
	config, err := server.BackupConfig(v.Backup)
	if err != nil {
		return err
	}
	config.Prompt = terminalPrompt()
	if v.Checkpoint != "" {
		text, err := os.ReadFile(v.Checkpoint)
		if err != nil {
			return err
		}
		s, err := server.CompareLog(ctx, config, text, time.Now)
		if err != nil {
			return err
		}
		fmt.Fprintf(to.out, "The backup has %d entries of the custody log, the checkpoint has %d: ", s.Entries, s.Shown)
		if s.Lacks() > 0 {
			fmt.Fprintf(to.out, "it lacks the last %d.\n", s.Lacks())
		} else {
			fmt.Fprintln(to.out, "it has all of them, and they are the same.")
		}
	}
	return check(ctx, config, v.Quick, to)
}

type restoreBackupCommand struct {
	Backup string `arg:"" type:"path" help:"A folder that backup made. It stays as it is."`
	To     string `required:"" type:"path" placeholder:"FOLDER" help:"Data folder of the server to be; it must not hold anything."`
	Reason string `required:"" placeholder:"TEXT" help:"Why, as the custody log will keep it: what happened."`
	Last   string `name:"last-checkpoint" type:"path" placeholder:"FILE" help:"The newest checkpoint that anybody has of this log. Where the backup has all of it, the log goes on as it was."`
}

// Run makes a server of a backup.
func (r *restoreBackupCommand) Run(ctx context.Context, to streams) error {
	log, err := telemetry.New(to.log, "text", "warn")
	if err != nil {
		return err
	}
	var last []byte
	if r.Last != "" {
		if last, err = os.ReadFile(r.Last); err != nil {
			return err
		}
		if len(last) == 0 {
			return errors.New("the file of the last checkpoint is empty")
		}
	}
	made, err := server.Restore(ctx, r.Backup, r.To, r.Reason, last, terminalPrompt(), log, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "A server is restored in %s: %d files, %d bytes.\n", r.To, made.Copied.Files, made.Copied.Bytes)
	if made.Restart == nil {
		fmt.Fprintf(to.out, "Nothing is lost: the custody log goes on as %s.\n", made.Log)
	} else {
		restarted(to, made.Log, made.Restart)
	}
	fmt.Fprintf(to.out, "Check it before you start it: sealdock-ingest fsck --config %s\nSee to it that the server before never runs again.\n", made.ConfigPath)
	return nil
}
