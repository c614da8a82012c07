package inspection_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// behind changes the database as somebody does who has its file or its password: past
// the product, and past what the database itself refuses.
func (d *desk) behind(statements ...string) {
	d.Helper()
	driver, url := "sqlite3", strings.TrimPrefix(d.url, "sqlite:")
	off := []string{"DROP TRIGGER events_never_changed", "DROP TRIGGER events_never_deleted"}
	if strings.HasPrefix(d.url, "postgres") {
		driver, url = "pgx", d.url
		off = []string{"ALTER TABLE events DISABLE TRIGGER ALL"}
	}
	db, err := sql.Open(driver, url)
	d.must(err)
	defer db.Close()
	for _, s := range append(off, statements...) {
		if _, err := db.ExecContext(d.Context(), s); err != nil {
			d.Fatal(s, err)
		}
	}
}

func (d *desk) verified(q inspection.Query) (*inspection.Page, *inspection.Report) {
	d.Helper()
	p := d.search(q)
	d.sequence()
	p, err := d.Search(d.Context(), auditor(), q, p.This, 50)
	d.must(err)
	r, err := d.Verify(d.Context(), p.Entries)
	d.must(err)
	return p, r
}

func TestWhatWasNotTouchedIsProven(t *testing.T) {
	bothEngines(t, func(t *testing.T, d *desk) {
		d.day()
		p, r := d.verified(inspection.Query{})
		if !r.Sound() || r.Size < int64(len(p.Entries)) || len(r.Proofs) != 9 {
			t.Fatalf("%+v", r)
		}
		for i, proof := range r.Proofs {
			if proof.Verdict != inspection.Proven {
				t.Errorf("%s: %+v", p.Entries[i].Sentence(), proof)
			}
		}
		d.add(evidence.Event{Type: evidence.EventServerStarted, Actor: evidence.Actor{Kind: "server", ID: "local"}})
		fresh := d.search(inspection.Query{})
		r, err := d.Verify(t.Context(), fresh.Entries)
		d.must(err)
		if r.Proofs[0].Verdict != inspection.Pending || !r.Sound() {
			t.Errorf("an event without a checkpoint: %+v", r.Proofs[0])
		}
	})
}

// R17, R18: whose act it was, and what of it was changed, does not matter.
func TestAChangedRowIsNamed(t *testing.T) {
	bothEngines(t, func(t *testing.T, d *desk) {
		d.day()
		view := d.add(evidence.Event{Type: evidence.EventEvidenceViewed, Actor: user(jonah, "Jonah Reyes"), Object: "item:" + evidence.EvidenceID{1}.String()})
		try := d.add(evidence.Event{Type: evidence.EventDownloaded, Actor: user(jonah, "Jonah Reyes"), Outcome: evidence.OutcomeRefused})
		admin := d.add(evidence.Event{Type: evidence.EventKeyRetired, Actor: user(alba, "Alba Moreno")})
		column := d.add(evidence.Event{Type: evidence.EventDockDisabled, Actor: user(alba, "Alba Moreno"), Object: "dock:garage"})
		text := d.add(evidence.Event{Type: evidence.EventKeyDrill, Actor: user(alba, "Alba Moreno")})
		d.sequence()
		other := `{"version":1,"agency":"metro-pd","type":"evidence.viewed","at":"2026-01-01T00:00:00Z","actor":{"kind":"user","id":"x"},"outcome":"done"}`
		if strings.HasPrefix(d.url, "postgres") {
			other = `\x` + fmt.Sprintf("%x", other)
		}
		d.behind(
			fmt.Sprintf("UPDATE events SET event = '%s' WHERE id = %d", other, view),
			fmt.Sprintf("UPDATE events SET salt = (SELECT salt FROM events WHERE id = %d) WHERE id = %d", view, admin),
			fmt.Sprintf("UPDATE events SET outcome = 'done' WHERE id = %d", try),
			fmt.Sprintf("UPDATE events SET actor_id = '%s' WHERE id = %d", jonah, column),
			fmt.Sprintf("UPDATE events SET event = '' WHERE id = %d", text),
		)
		p, r := d.verified(inspection.Query{})
		broken := map[int64]string{}
		for i, proof := range r.Proofs {
			if proof.Verdict == inspection.Broken {
				broken[p.Entries[i].Row.ID] = proof.Why
			}
		}
		if r.Sound() || len(broken) != 5 {
			t.Errorf("broken: %v", broken)
		}
		for _, id := range []int64{view, try, admin, column, text} {
			if broken[id] == "" {
				t.Errorf("event %d was changed, and is not named", id)
			}
		}
	})
}

func TestADeletedRowIsNamed(t *testing.T) {
	bothEngines(t, func(t *testing.T, d *desk) {
		d.day()
		view := d.add(evidence.Event{Type: evidence.EventEvidenceViewed, Actor: user(jonah, "Jonah Reyes")})
		admin := d.add(evidence.Event{Type: evidence.EventKeyRetired, Actor: user(alba, "Alba Moreno")})
		d.add(evidence.Event{Type: evidence.EventServerStarted, Actor: evidence.Actor{Kind: "server", ID: "local"}})
		d.sequence()
		at := d.clock.Now()
		d.behind(fmt.Sprintf("DELETE FROM events WHERE id IN (1, %d, %d)", view, admin))
		_, r := d.verified(inspection.Query{Person: jonah})
		if r.Lost != 3 || len(r.Gaps) != 3 || r.Sound() {
			t.Fatalf("%+v", r)
		}
		if g := r.Gaps[0]; g.Index != 0 || !g.After.IsZero() {
			t.Errorf("the first: %+v", g)
		}
		if g := r.Gaps[1]; g.Index != 9 || g.After.IsZero() || !g.Before.Equal(at) {
			t.Errorf("the second: %+v", g)
		}
		if r.Gaps[2].Index != 10 {
			t.Errorf("the third: %+v", r.Gaps[2])
		}
	})
}

// A stranger with the export and the log's public key alone sees that it is true.
func TestAnExportIsCheckedByAStranger(t *testing.T) {
	d := newDesk(t)
	d.day()
	public := d.key.Public().(ed25519.PublicKey)
	text := d.export(inspection.Query{Person: jonah}, inspection.JSONLines)
	n, err := judge(text, public)
	if err != nil || n != 4 {
		t.Fatalf("%d events: %v", n, err)
	}
	for _, lie := range [][2]string{{"refused", "done"}, {"192.0.2.9", "192.0.2.8"}, {`"log_index":3`, `"log_index":2`}} {
		changed := bytes.Replace(text, []byte(lie[0]), []byte(lie[1]), 1)
		if bytes.Equal(changed, text) {
			t.Fatalf("%s is not in the export", lie[0])
		}
		if _, err := judge(changed, public); err == nil {
			t.Errorf("%s for %s is believed", lie[1], lie[0])
		}
	}
	proof, err := d.EventProof(t.Context(), auditor(), 4)
	d.must(err)
	parsed, err := tlog.ParseProof(proof)
	d.must(err)
	v, err := tlog.NewVerifier(origin, public)
	d.must(err)
	if event, _, err := parsed.Check(origin, v); err != nil || !strings.Contains(string(event), "refused") {
		t.Errorf("the proof of one event: %s %v", event, err)
	}
}

func judge(export []byte, key ed25519.PublicKey) (events int, err error) {
	in := bufio.NewScanner(bytes.NewReader(export))
	in.Scan()
	var head struct {
		Format, Checkpoint string
		Events             int
	}
	if err := json.Unmarshal(in.Bytes(), &head); err != nil || head.Format != inspection.LinesFormat {
		return 0, fmt.Errorf("the first line: %w", err)
	}
	c, err := tlog.OpenEarlier([]byte(head.Checkpoint), origin, key)
	if err != nil {
		return 0, err
	}
	for in.Scan() {
		var l inspection.Line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			return events, err
		}
		var path []tlog.Hash
		for _, h := range l.Proof {
			path = append(path, tlog.Hash(h))
		}
		if err := tlog.CheckInclusion(path, c.Size, *l.Index, c.Root, tlog.LeafHash(tlog.Entry(l.Salt, []byte(l.Event)))); err != nil {
			return events, err
		}
		events++
	}
	if events != head.Events {
		return events, fmt.Errorf("%d events, %d are announced", events, head.Events)
	}
	return events, nil
}

// Attack case 45.
func TestNoCellOfAnExportIsAFormula(t *testing.T) {
	d := newDesk(t)
	hostile := []string{"=1+2", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1,2)", "\t=1", "\r\n=1", " =1", "＝1", "\ufeff=1", `a","=1`, "x\n=1", "\u2028=1", "plain"}
	for _, text := range hostile {
		d.add(evidence.Event{Type: evidence.EventCameraHeld, Actor: evidence.Actor{Kind: "user", ID: jonah, Name: text, Client: text}, Object: "camera:" + strings.Map(printable, text), Source: text, Reason: text,
			Details: map[string]string{"=key": text}})
	}
	out := d.export(inspection.Query{Act: string(evidence.EventCameraHeld)}, inspection.CSV)
	if !bytes.HasSuffix(out, []byte("\r\n")) || bytes.Count(out, []byte("\n")) != bytes.Count(out, []byte("\r\n")) {
		t.Error("lines do not end as RFC 4180 says")
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	d.must(err)
	if len(rows) != len(hostile)+1 {
		t.Fatalf("%d rows, want %d", len(rows), len(hostile)+1)
	}
	for _, row := range rows {
		for _, cell := range row {
			if first := strings.TrimLeft(cell, " \t\r\n\u00a0\ufeff\u2028"); first != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(first)[0]) {
				t.Errorf("%q may be run", cell)
			}
			if strings.ContainsAny(cell, "\r\n\t") {
				t.Errorf("%q holds a line break", cell)
			}
		}
	}
	if rows[1][10] != "plain" {
		t.Errorf("what is no formula was changed: %q", rows[1][10])
	}
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Log("LIBREOFFICE IS NOT INSTALLED: the file was not opened in it")
		return
	}
	dir := t.TempDir()
	d.must(os.WriteFile(filepath.Join(dir, "audit.csv"), out, 0o600))
	run := exec.CommandContext(t.Context(), office, "--headless", "--convert-to", "fods", "--outdir", dir, "-env:UserInstallation=file://"+dir+"/profile", filepath.Join(dir, "audit.csv"))
	if text, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	sheet, err := os.ReadFile(filepath.Join(dir, "audit.fods"))
	d.must(err)
	if bytes.Contains(sheet, []byte("table:formula")) {
		t.Error("LibreOffice reads a formula")
	}
}

func printable(r rune) rune {
	if r < 0x20 {
		return -1
	}
	return r
}

func TestAnExportIsAnEventThatNamesSearchAndCount(t *testing.T) {
	d := newDesk(t)
	d.day()
	q := inspection.Query{Person: "Jonah Reyes", Outcome: "done"}
	out := d.export(q, inspection.CSV)
	if n := bytes.Count(out, []byte("\r\n")); n != 4 {
		t.Errorf("%d lines, want a head and 3 events:\n%s", n, out)
	}
	e := d.search(inspection.Query{Act: string(evidence.EventAuditExported)}).Entries
	if len(e) != 1 || e[0].Event.Details["search"] != q.Text() || e[0].Event.Details["events"] != "3" || e[0].Event.Details["format"] != "csv" {
		t.Errorf("%+v", e)
	}
	if _, err := d.Export(t.Context(), auditor(), q, "xml"); err == nil {
		t.Error("a format that there is none")
	}
}

// More events than are held at once come out once each, in order.
func TestALongExportIsWhole(t *testing.T) {
	d := newDesk(t)
	const n = 1203
	for range n {
		d.clock.Advance(-time.Second) // all at one moment
		d.add(evidence.Event{Type: evidence.EventEvidenceViewed, Actor: user(jonah, "Jonah Reyes")})
	}
	d.sequence()
	if events, err := judge(d.export(inspection.Query{}, inspection.JSONLines), d.key.Public().(ed25519.PublicKey)); err != nil || events != n {
		t.Errorf("%d events: %v", events, err)
	}
	if p := d.search(inspection.Query{}); p.Found != inspection.MaxCount+1 {
		t.Errorf("%d found", p.Found)
	}
}
