package check

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

func TestEveryFaultAndEveryCaseHasARow(t *testing.T) {
	var covers []string
	for _, r := range Rows() {
		covers = append(covers, r.Covers)
	}
	all := strings.Join(covers, "\n") + "\n"
	missing := func(words string) bool { return !regexp.MustCompile(`\b` + words + `[,\n]`).MatchString(all) }
	for _, k := range fault.Kinds() {
		// Firmware is for the server to publish, so that its row is elsewhere.
		if missing(regexp.QuoteMeta(string(k))) {
			t.Errorf("no row plays the fault %s", k)
		}
	}
	for n := 1; n <= 12; n++ {
		if missing("fault case " + strconv.Itoa(n)) {
			t.Errorf("no row plays fault case %d", n)
		}
	}
	for n := 17; n <= 29; n++ {
		if missing("attack case " + strconv.Itoa(n)) {
			t.Errorf("no row plays attack case %d", n)
		}
	}
}

func TestRowsSayWhatTheyDoAndHaveNamesOfTheirOwn(t *testing.T) {
	names, cameras := map[string]bool{}, 0
	for _, r := range Rows() {
		if names[r.Name] || r.Name == "" || r.Covers == "" || r.Done == "" || r.Holds == "" {
			t.Errorf("%+v", r)
		}
		names[r.Name] = true
		if (r.Play == nil) != (r.Cameras == 0) {
			t.Errorf("%s has %d cameras and plays %t", r.Name, r.Cameras, r.Play != nil)
		}
		cameras += r.Cameras
	}
	if cameras > 200 {
		t.Errorf("all rows need %d cameras; a simulator has 200 at most", cameras)
	}
}

func TestRowsAreChosenBySetAndByName(t *testing.T) {
	short, err := choose(Rows(), true, "")
	if err != nil || len(short) < 12 || len(short) >= len(Rows()) {
		t.Errorf("the short set has %d rows: %v", len(short), err)
	}
	one, err := choose(Rows(), false, "^a full card ")
	if err != nil || len(one) != 1 {
		t.Errorf("%d rows: %v", len(one), err)
	}
	if covered, err := choose(Rows(), false, "fault case 7"); err != nil || len(covered) != 3 {
		t.Errorf("by what it covers: %d rows, %v", len(covered), err)
	}
	for _, only := range []string{"(", "no such row"} {
		if _, err := choose(Rows(), false, only); err == nil {
			t.Errorf("%q chose something", only)
		}
	}
}

func TestABrokenPromiseMakesTheWorstVerdict(t *testing.T) {
	for _, c := range []struct {
		promises []string
		want     Verdict
	}{{nil, Kept}, {[]string{"I4"}, ErasedEarly}, {[]string{"I4", "I2"}, AcceptedWrong}, {[]string{"I1", "I8"}, Lost}, {[]string{"I3"}, AcceptedWrong}, {[]string{"I5"}, AcceptedWrong}} {
		s := &scene{serials: []string{"a"}, verdict: Kept}
		var broken []station.Violation
		for _, p := range c.promises {
			broken = append(broken, station.Violation{Promise: p, Camera: "a", Text: "x"})
		}
		s.judge(broken)
		if s.verdict != c.want || len(s.why) != len(broken) {
			t.Errorf("%v: %s, %v; want %s", c.promises, s.verdict, s.why, c.want)
		}
	}
	s := &scene{serials: []string{"a"}, verdict: Kept}
	s.judge([]station.Violation{{Promise: "I1", Camera: "b"}})
	if s.verdict != Kept {
		t.Error("another row's loss counts here")
	}
	s.judge([]station.Violation{{Promise: "I5"}})
	if s.verdict != AcceptedWrong {
		t.Error("a log that is not consistent counts for no row")
	}
	s.found(Slow, "late")
	if s.verdict != AcceptedWrong {
		t.Error("a lesser verdict hides a worse one")
	}
}

func TestTheReportIsSoundOnlyWhenAllWasKept(t *testing.T) {
	row := func(v Verdict) Result {
		return Result{Name: "row " + string(v), Verdict: v, Holds: "it holds", Why: []string{"because"}}
	}
	for _, v := range []Verdict{Slow, Silent, ErasedEarly, AcceptedWrong, Lost} {
		if report([]Result{row(Kept), row(v)}, 0).Sound() {
			t.Errorf("%s is sound", v)
		}
	}
	if report(nil, 0).Sound() || report([]Result{row(Elsewhere)}, 0).Sound() {
		t.Error("nothing was played, and it is sound")
	}
	r := report([]Result{row(Kept), row(Elsewhere), row(Lost)}, time.Second)
	if report(r.Results[:2], 0).Sound() == false {
		t.Error("what is played elsewhere counts against it")
	}
	var table, text bytes.Buffer
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lost: row lost", "must hold: it holds", "because", "3 rows in 1 s: 1 kept, 0 slow, 0 silent, 0 erased-early, 0 accepted-wrong, 1 lost, 1 elsewhere"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	var back Report
	if err := r.WriteJSON(&text); err != nil || json.Unmarshal(text.Bytes(), &back) != nil || len(back.Results) != 3 || back.Counts[Lost] != 1 {
		t.Errorf("%v\n%s", err, text.String())
	}
}

func TestWhatTheDockSaysIsHeardOfTheRightBayAndTime(t *testing.T) {
	began := time.Now()
	w := &watch{}
	w.hear(saying{began, "1-1", "The cable is loose."})
	w.hear(saying{began, "1-1", "The cable is loose."})
	w.hear(saying{began, "1-2", "All is well."})
	w.log = append(w.log, saying{began, "1-2", "level=WARN msg=loose bay=1-2"})
	loose := regexp.MustCompile("loose")
	if where, _ := w.heard("1-1", began, loose); where != "status" || len(w.said) != 2 {
		t.Errorf("bay 1-1: %q of %v", where, w.said)
	}
	if where, _ := w.heard("1-2", began, loose); where != "log" {
		t.Errorf("bay 1-2: %q", where)
	}
	if where, _ := w.heard("1-3", began, loose); where != "" {
		t.Errorf("bay 1-3: %q", where)
	}
	if where, _ := w.heard("1-1", began.Add(time.Second), loose); where != "" {
		t.Error("an earlier row's words count")
	}
	if got := w.complaints("1-2"); !slices.Equal(got, []string{"level=WARN msg=loose bay=1-2"}) {
		t.Errorf("complaints: %v", got)
	}
}
