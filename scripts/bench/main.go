// Command bench measures the whole way, from a docked camera to its erasure
// against a verified receipt, over loopback, with the built programs, and this
// machine's own limits in the same run. It prints a table and writes JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "yardstick" {
		bytes, err := strconv.ParseInt(os.Args[3], 10, 64)
		if err == nil {
			err = runYardstick(os.Args[2], bytes)
		}
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	bin := flag.String("bin", "bin", "folder of the built programs")
	dir := flag.String("dir", filepath.Join(".run", "bench"), "folder to work in; emptied first")
	mib := flag.Int64("mib", 1024, "MiB in all for the large workloads")
	small := flag.Int("small", 2000, "how many small files")
	flag.Parse()
	exit(run(ctx, *bin, *dir, *mib, *small))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, bin, dir string, mib int64, small int) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	programs, err := station.In(bin)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	report := Report{At: time.Now().UTC(), Go: runtime.Version(), Processors: runtime.NumCPU(), Yardsticks: map[string]Rate{}, Ratios: map[string]float64{}}
	for name := range yardsticks {
		if report.Yardsticks[name], err = measureYardstick(name, mib<<20); err != nil {
			return err
		}
	}
	report.Workloads = []Workload{
		{Name: "one camera", Cameras: 1, Files: 4, FileBytes: mib << 20 / 4},
		{Name: "eight cameras", Cameras: 8, Files: 2, FileBytes: mib << 20 / 16},
		{Name: "small files", Cameras: 1, Files: small, FileBytes: 64 << 10},
	}
	for i := range report.Workloads {
		fmt.Fprintf(os.Stderr, "bench: %s …\n", report.Workloads[i].Name)
		if err := report.Workloads[i].measure(ctx, programs, filepath.Join(dir, strconv.Itoa(i))); err != nil {
			return fmt.Errorf("%s: %w", report.Workloads[i].Name, err)
		}
	}
	report.compare()
	report.print()
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "bench.json")
	fmt.Println("\nThe same as JSON:", path)
	return os.WriteFile(path, append(text, '\n'), 0o600)
}
