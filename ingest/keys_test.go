package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAServerIsMadeUnderAPassphraseWhereOneIsGiven(t *testing.T) {
	file := secretFile(t, "correct horse battery staple")
	folder := filepath.Join(t.TempDir(), "evidence")
	out, _, err := run(t, "init", "--agency", "springfield", "--host", "localhost", "--passphrase-file", file, folder)
	if err != nil || !strings.Contains(out, "under your passphrase") {
		t.Fatalf("%v\n%s", err, out)
	}
	config := filepath.Join(folder, "ingest.toml")
	out, _, err = run(t, "config", "show", "--config", config)
	if err != nil || !strings.Contains(out, `root_protection = "passphrase"`) || !strings.Contains(out, file) {
		t.Errorf("config show: %v\n%s", err, out)
	}
	if out, _, err = run(t, "fsck", "--config", config); err != nil || strings.Contains(out, "in clear") {
		t.Errorf("fsck: %v\n%s", err, out)
	}
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if _, _, err = run(t, "fsck", "--config", config); err == nil {
		t.Error("fsck opened the keys without their passphrase")
	}
	// Nor does anything read the catalog, which names people.
	all := [][]string{{"dock-token", "--station", "main", "--dock", "front-desk"}, {"setup-link"}, {"cameras", "list"}, {"log-key"}}
	for _, args := range all {
		if out, _, err := run(t, append(args, "--config", config)...); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%v, without the passphrase: %v\n%s", args, err, out)
		}
	}
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	for _, args := range all {
		if _, _, err := run(t, append(args, "--config", config)...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, _, err = run(t, "keys", "passphrase", "--config", config, "--none"); err == nil || !strings.Contains(err.Error(), "root_protection") {
		t.Errorf("taken away against the configuration: %v", err)
	}
	if _, _, err = run(t, "keys", "passphrase", "--config", config, "--new-file", secretFile(t, "short")); err == nil || !strings.Contains(err.Error(), "15") {
		t.Errorf("a short passphrase: %v", err)
	}
	second := secretFile(t, "six words drawn by chance, once more")
	if out, _, err = run(t, "keys", "passphrase", "--config", config, "--new-file", second); err != nil || !strings.Contains(out, "on record") {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, _, err = run(t, "fsck", "--config", config); err == nil || !strings.Contains(err.Error(), "the passphrase is wrong") {
		t.Errorf("the former passphrase: %v", err)
	}
	if err := os.Rename(second, file); err != nil {
		t.Fatal(err)
	}
	if _, _, err = run(t, "fsck", "--config", config); err != nil {
		t.Error(err)
	}
}

func TestKeysAreRotatedAndListed(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "evidence")
	if _, _, err := run(t, "init", "--agency", "springfield", "--host", "localhost", folder); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "ingest.toml")
	out, _, err := run(t, "keys", "rotate", "--config", config)
	if err != nil || !strings.Contains(out, "made key") || !strings.Contains(out, "generation 2") {
		t.Fatalf("%v\n%s", err, out)
	}
	out, _, err = run(t, "keys", "status", "--config", config)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil || len(lines) != 3 || !strings.HasPrefix(lines[1], "1 ") || !strings.HasPrefix(lines[2], "2 ") || !strings.Contains(lines[2], "in use") {
		t.Fatalf("%v\n%s", err, out)
	}
	old := strings.Fields(lines[1])[1]
	people := []string{"--config", config, "--requester", "a.moreno", "--approver", "b.lee", "--requester-password-file", secretFile(t, "x"), "--approver-password-file", secretFile(t, "y")}
	for args, words := range map[string]string{"nokey": "does not name a key", old: "signing in a.moreno"} {
		if _, _, err := run(t, append([]string{"keys", "retire", args}, people...)...); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("retire %s: %v, want words like %q", args, err, words)
		}
	}
}

func TestADrillNeedsAnEscrowAndBothPassphrases(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "evidence")
	if _, _, err := run(t, "init", "--agency", "springfield", "--host", "localhost", folder); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "ingest.toml")
	people := []string{"--config", config, "--requester", "a.moreno", "--approver", "b.lee", "--requester-password-file", secretFile(t, "x"), "--approver-password-file", secretFile(t, "y")}
	out := filepath.Join(t.TempDir(), "escrow")
	if _, _, err := run(t, append([]string{"keys", "escrow", "-o", out}, people...)...); err == nil || !strings.Contains(err.Error(), "signing in a.moreno") {
		t.Errorf("an escrow for nobody: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("it was written")
	}
	for _, command := range []string{"drill", "restore"} {
		if _, _, err := run(t, "keys", command, "--config", config, secretFile(t, "no escrow")); err == nil || !strings.Contains(err.Error(), "escrow") && !strings.Contains(err.Error(), "empty folder") {
			t.Errorf("%s of another file: %v", command, err)
		}
	}
}

// TestASysadminsYearWithKeys is docs/keys.md at the command line, from the first
// passphrase to the day on which the keys are lost.
func TestASysadminsYearWithKeys(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "evidence")
	root := secretFile(t, "correct horse battery staple")
	config := filepath.Join(folder, "ingest.toml")
	do := func(want string, args ...string) string {
		t.Helper()
		out, log, err := run(t, args...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("%v: %v, want words like %q\n%s%s", args, err, want, out, log)
		}
		return out
	}
	do("under your passphrase", "init", "--agency", "springfield", "--host", "localhost", "--passphrase-file", root, folder)
	employ(t, folder, "a.moreno", "quartz lantern meadow 71")
	employ(t, folder, "b.lee", "violet anchor prairie 08")
	people := []string{
		"--config", config, "--requester", "a.moreno", "--requester-password-file", secretFile(t, "quartz lantern meadow 71"),
		"--approver", "b.lee", "--approver-password-file", secretFile(t, "violet anchor prairie 08"),
	}
	holders := []string{"--passphrase-file", "a.moreno=" + secretFile(t, "ferry lantern wheat orbit"), "--passphrase-file", "b.lee=" + secretFile(t, "six other words drawn by chance")}
	with := func(flags []string, args ...string) []string {
		return append(append([]string{"keys"}, args...), flags...)
	}

	do("generation 2", with([]string{"--config", config}, "rotate")...)
	old := strings.Fields(strings.Split(do("in use", with([]string{"--config", config}, "status")...), "\n")[1])[1]
	do("is destroyed here", with(people, "retire", old)...)
	escrow := filepath.Join(t.TempDir(), "escrow")
	do("keys drill", with(append(people, holders...), "escrow", "-o", escrow)...)
	lost := filepath.Join(t.TempDir(), "lost")
	if err := os.Rename(filepath.Join(folder, "keys"), lost); err != nil {
		t.Fatal(err)
	}
	do("opens: 1 key pairs", with(append(holders, "--config", config), "drill", escrow)...)
	do("All recordings' keys", with(append(holders, "--config", config), "restore", escrow)...)
	do("0 problems", "fsck", "--config", config)
	if _, _, err := run(t, with(people, "destroy", evidence.NewEvidenceID().String(), "--reason", "order of the court")...); err == nil || !strings.Contains(err.Error(), "not") {
		t.Errorf("an item that is not there was destroyed: %v", err)
	}
	for _, name := range []string{"receipt.key", "checkpoint.key", "camera-authority.key", "pepper.key", "quic-reset.key"} {
		before, err := os.ReadFile(filepath.Join(lost, name))
		after, err2 := os.ReadFile(filepath.Join(folder, "keys", name))
		if err != nil || err2 != nil || string(before) != string(after) {
			t.Errorf("%s did not come back: %v, %v", name, err, err2)
		}
	}
}

// employ makes an administrator, as the dashboard would.
func employ(t *testing.T, folder, login, password string) {
	t.Helper()
	db := opened(t, folder)
	defer db.Close()
	pepper, err := os.ReadFile(filepath.Join(folder, "keys", "pepper.key"))
	if err != nil {
		t.Fatal(err)
	}
	people, err := auth.New(auth.Config{Catalog: db, Agency: "springfield", Pepper: pepper, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *sqldb.Tx) error { // the commands with codes: server.TestTwoPeopleWithSecondFactorsAtTheCommandLine
		return tx.SetSetting(t.Context(), &catalog.Setting{Agency: "springfield", Name: "auth.factor_required", Value: "nobody", UpdatedAt: time.Now(), UpdatedBy: "local"})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := people.AddUser(t.Context(), auth.Person{Login: login, Name: login, Password: password}, auth.Administrator, evidence.Actor{Kind: "server", ID: "local"}, auth.Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
}
