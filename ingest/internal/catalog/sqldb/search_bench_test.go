package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	flags "flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	testpostgres "github.com/sealdock/sealdock/internal/testkit/postgres"
)

var (
	seeded   = flags.Int("items", 100_000, "items that searches are measured over")
	searches = flags.Int("searches", 20, "how often each kind of search is made")
	store    = flags.String("store", "", "folder where the items stay, and are found the next time; a short path that everybody may enter")
	results  = flags.String("results", "", "folder for what bench report reads")
)

// bar is what a search may take, at the 95th percentile.
const bar = 300 * time.Millisecond

// BenchmarkSearches measures what people search for, and prints it with the plans.
func BenchmarkSearches(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			address, there := seededAt(b, name)
			if !there {
				seed(b, address, *seeded)
			}
			db, err := Open(b.Context(), address, time.Now, Sealed(seedKey))
			if errors.Is(err, ErrClear) { // seeded so: by pages that a sealed one does not take
				must(b, Seal(b.Context(), strings.TrimPrefix(address, "sqlite:"), seedKey, time.Now, func(*Tx) error { return nil }))
				db, err = Open(b.Context(), address, time.Now, Sealed(seedKey))
			}
			must(b, err)
			defer db.Close()
			measure(b, db)
			for b.Loop() { // one run is the measurement
			}
		})
	}
}

// seedKey is what the items are sealed under, as a server's are.
var seedKey = make([]byte, KeySize)

// seededAt is where the items are, and whether they are there already. A run that was
// stopped while it seeded leaves a store that is to be removed by hand.
func seededAt(b *testing.B, engine string) (address string, there bool) {
	name := fmt.Sprintf("items_%d", *seeded)
	switch {
	case engine == "sqlite" && *store == "":
		return "sqlite:" + b.TempDir() + "/catalog.db", false
	case engine == "sqlite":
		path := filepath.Join(*store, name+".db")
		_, err := os.Stat(path)
		return "sqlite:" + path, err == nil
	case *store == "":
		return testpostgres.Start(b).Database(b), false
	}
	return testpostgres.StartIn(b, filepath.Join(*store, "postgres")).Lasting(b, name)
}

// took is what one search took: wall time, and processor time of this process and, where
// there is one, of the database's.
type took struct{ wall, cpu time.Duration }

// figure is what the searches of one kind took.
type figure struct {
	name  string
	all   []took
	plans []string // of the slowest one
}

func (f *figure) at(of float64, by func(took) time.Duration) time.Duration {
	sorted := make([]time.Duration, len(f.all))
	for n, t := range f.all {
		sorted[n] = by(t)
	}
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, int(of*float64(len(sorted))))]
}

func wall(t took) time.Duration { return t.wall }
func cpu(t took) time.Duration  { return t.cpu }
func ms(d time.Duration) float64 {
	return d.Seconds() * 1000
}

func measure(b *testing.B, db *DB) {
	r := rand.New(rand.NewPCG(6, 6))
	clock := newClock(b, db)
	total := figure{name: "all searches"}
	var figures []figure
	for _, kind := range kinds() {
		f := figure{name: kind.name}
		var worst asked
		for range *searches {
			a := kind.ask(r, *seeded)
			began := clock.begin(b)
			page, n, counted, err := db.ItemsCounted(b.Context(), a.ItemFilter, a.order, a.cursor, 50, 1001, 250*time.Millisecond)
			must(b, err)
			if a.cursor == "" && counted && int64(len(page.Items)) != min(n, 50) {
				b.Errorf("%s: a page of %d, %d counted", kind.name, len(page.Items), n)
			}
			end := clock.now(b)
			one := took{end.wall - began.wall, end.cpu - began.cpu}
			if len(f.all) == 0 || one.cpu > slices.MaxFunc(f.all, func(x, y took) int { return cmp.Compare(x.cpu, y.cpu) }).cpu {
				worst = a
			}
			f.all = append(f.all, one)
		}
		fmt.Printf("%s: %s: %.1f ms at worst, %.1f of processor time\n", db.engine.name(), f.name, ms(f.at(1, wall)), ms(f.at(1, cpu)))
		f.plans = plansOf(b, db, worst)
		total.all = append(total.all, f.all...)
		figures = append(figures, f)
	}
	slices.SortStableFunc(figures, func(x, y figure) int { return cmp.Compare(y.at(1, wall), x.at(1, wall)) })
	fmt.Printf("\n%s, %d items, %d searches of each of %d kinds: a page of 50 and the count up to 1,000; ms\n\n| search | p50 | p95 | worst | CPU p50 | CPU worst |\n|---|---:|---:|---:|---:|---:|\n", db.engine.name(), *seeded, *searches, len(figures))
	for _, f := range append([]figure{total}, figures...) {
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f |\n", f.name, ms(f.at(.5, wall)), ms(f.at(.95, wall)), ms(f.at(1, wall)), ms(f.at(.5, cpu)), ms(f.at(1, cpu)))
	}
	fmt.Printf("\nCPU at the 95th percentile: %.1f ms\nThe worst search: %s\n", ms(total.at(.95, cpu)), figures[0].name)
	for _, plan := range figures[0].plans {
		fmt.Println("  " + plan)
	}
	p95 := total.at(.95, wall)
	b.ReportMetric(ms(p95), "p95-ms")
	b.ReportMetric(ms(total.at(.95, cpu)), "p95-cpu-ms")
	if p95 > bar {
		b.Errorf("the 95th percentile is %s, the bar %s", p95, bar)
	}
	report(b, db, total, figures)
}

// report writes what bench report reads.
func report(b *testing.B, db *DB, total figure, figures []figure) {
	if *results == "" {
		return
	}
	type row struct {
		Name    string               `json:"name"`
		Figures map[string][]float64 `json:"figures"`
	}
	rowOf := func(f figure) row {
		return row{f.name, map[string][]float64{"p50 ms": {ms(f.at(.5, wall))}, "p95 ms": {ms(f.at(.95, wall))}, "worst ms": {ms(f.at(1, wall))}, "CPU p50 ms": {ms(f.at(.5, cpu))}, "CPU worst ms": {ms(f.at(1, cpu))}}}
	}
	version := "unknown"
	if out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output(); err == nil {
		version = strings.TrimSpace(string(out))
	}
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the processor has no name
	processor := regexp.MustCompile(`model name\s*: (.*)`).FindSubmatch(text)
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	p95 := total.at(.95, wall).Seconds()
	result := map[string]any{
		"name": "search-" + db.engine.name(), "at": time.Now().UTC(), "version": version, "rounds": 1,
		"machine": map[string]any{"processor": string(processor[min(1, len(processor)-1)]), "processors": runtime.NumCPU(), "kernel": strings.TrimSpace(string(kernel)), "go": runtime.Version()},
		"bars":    []any{map[string]any{"what": fmt.Sprintf("%d items: the 95th percentile of all searches, against %s", *seeded, bar), "ratio": p95 / bar.Seconds(), "each": []float64{p95 / bar.Seconds()}, "limit": 1, "met": p95 <= bar.Seconds()}},
	}
	rows, notes := []row{rowOf(total)}, []string{fmt.Sprintf("%d searches of each of %d kinds; the 95th percentile of their processor time is %.1f ms", *searches, len(figures), ms(total.at(.95, cpu)))}
	byPlan := map[string][]string{}
	for n, f := range figures {
		rows = append(rows, rowOf(f))
		plan := strings.Join(f.plans, "; ")
		if n == 0 {
			notes = append(notes, "the worst, "+f.name+": "+plan)
		}
		steps := strings.Split(often.ReplaceAllString(plan, ""), "; ") // how often differs by value
		slices.Sort(steps)
		plan = strings.Join(slices.Compact(steps), "; ")
		byPlan[plan] = append(byPlan[plan], f.name)
	}
	for _, plan := range slices.SortedFunc(func(yield func(string) bool) {
		for plan := range byPlan {
			if !yield(plan) {
				return
			}
		}
	}, func(x, y string) int { return cmp.Compare(len(byPlan[y]), len(byPlan[x])) }) {
		notes = append(notes, fmt.Sprintf("plan of %s: %s", strings.Join(byPlan[plan], " / "), plan))
	}
	result["rows"], result["notes"] = rows, notes
	written, err := json.MarshalIndent(result, "", "  ")
	must(b, err)
	must(b, os.MkdirAll(*results, 0o755))
	must(b, os.WriteFile(filepath.Join(*results, "search-"+db.engine.name()+".json"), written, 0o644))
}

// clock tells wall and processor time.
type clock struct {
	began time.Time
	db    *DB
	pid   int // of the database's process that serves the one connection, 0: there is none
}

func newClock(b *testing.B, db *DB) *clock {
	if db.engine.name() == "postgres" {
		db.reads.SetMaxOpenConns(1)
	}
	return &clock{time.Now(), db, 0}
}

func (c *clock) begin(b *testing.B) took {
	if c.db.engine.name() == "postgres" {
		must(b, c.db.reads.QueryRowContext(b.Context(), "SELECT pg_backend_pid()").Scan(&c.pid))
	}
	return c.now(b)
}

func (c *clock) now(b *testing.B) took {
	var usage syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	t := took{time.Since(c.began), time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}
	if c.pid != 0 {
		var at unix.Timespec
		// The clock of a process, clock_getcpuclockid(3). It is gone where a count was given up.
		if err := unix.ClockGettime(int32(^c.pid<<3|2), &at); err == nil {
			t.cpu += time.Duration(at.Nano())
		}
	}
	return t
}

// noting notes the statements that are asked.
type noting struct {
	querier
	asked *[]statement
}

type statement struct {
	query string
	args  []any
}

// QueryContext implements querier.
func (n noting) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	*n.asked = append(*n.asked, statement{query, args})
	return n.querier.QueryContext(ctx, query, args...)
}

// QueryRowContext implements querier.
func (n noting) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	*n.asked = append(*n.asked, statement{query, args})
	return n.querier.QueryRowContext(ctx, query, args...)
}

// statementsOf are the statements of a search, without the rows that they return.
func statementsOf(t testing.TB, db *DB, a asked) []statement {
	var all []statement
	r := &Reader{q: noting{db.reads, &all}, engine: db.engine, now: db.now}
	_, _, _, err := r.ItemsCounted(t.Context(), a.ItemFilter, a.order, a.cursor, 50, 1001, time.Minute)
	must(t, err)
	return all
}

// plansOf are the plans of a search's statements, each once, and how often.
func plansOf(t testing.TB, db *DB, a asked) (all []string) {
	times := map[string]int{}
	for _, s := range statementsOf(t, db, a) {
		plan := explain(t, db, s)
		if times[plan]++; times[plan] == 1 {
			all = append(all, plan)
		}
	}
	for n, plan := range all {
		if times[plan] > 1 {
			all[n] = fmt.Sprintf("%d × %s", times[plan], plan)
		}
	}
	return all
}

var often = regexp.MustCompile(`\b\d+ × `)

var unplanned = regexp.MustCompile(`^(->  )?(Limit|Aggregate|Result|Subquery Scan)`)

// explain is the plan of a statement in one line.
func explain(t testing.TB, db *DB, s statement) string {
	var lines []string
	scan, words := func(s scanner) error {
		var a, c, d int
		var line string
		err := s.Scan(&a, &c, &d, &line)
		lines = append(lines, line)
		return err
	}, "EXPLAIN QUERY PLAN "
	if db.engine.name() == "postgres" {
		scan, words = func(s scanner) error {
			var line string
			err := s.Scan(&line)
			line, _, _ = strings.Cut(strings.TrimSpace(line), "  (cost")
			if keys := strings.HasPrefix(line, "Index Cond: "); keys || strings.HasPrefix(line, "Filter: ") {
				return err
			}
			if !unplanned.MatchString(line) {
				lines = append(lines, strings.TrimPrefix(line, "->  "))
			}
			return err
		}, "EXPLAIN "
	}
	query := s.query
	must(t, (&Reader{q: db.reads, engine: asIs{db.engine}}).each(t.Context(), "plan", scan, words+query, s.args...))
	return strings.ReplaceAll(strings.Join(lines, ", "), "|", "/")
}

// asIs is a dialect whose statements are in it already.
type asIs struct{ dialect }

func (asIs) rebind(query string) string { return query }
