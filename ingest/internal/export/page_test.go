package export_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/pack"
	testbrowser "github.com/sealdock/sealdock/internal/testkit/browser"
)

// TestThePageJudgesWithoutServerAndNetwork opens the page out of a package from the
// disk, with the network switched off. SEALDOCK_SCREENSHOTS names a folder for
// pictures.
func TestThePageJudgesWithoutServerAndNetwork(t *testing.T) {
	page := export.Page()
	if page == nil {
		t.Skip("THE PAGE WAS NOT TESTED: it is made by make build")
	}
	w := newWorld(t)
	w.config.Page = page
	w.service = export.New(w.config)
	length := 6<<20 + 77
	if *campaign {
		length = 256 << 20
	}
	a := w.keep(recording{path: "DCIM/100/CLIP1.MP4", content: noise(length, 1), signed: true, erased: true})
	w.view(a, 4)
	b := w.pack(a)
	o := w.takeApart(b)
	if !bytes.Equal(o.files[pack.PageFile], page) {
		t.Fatal("the page is not in the package")
	}
	dir := t.TempDir()
	save := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		w.must(os.WriteFile(path, b, 0o600))
		return path
	}
	address := "file://" + save("verify.html", o.files[pack.PageFile])
	tab := testbrowser.Open(t)
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	defer cancel()
	w.must(chromedp.Do(ctx, offline, chromedp.Navigate(address)))
	judge := func(name string, b []byte, key string) (verdict, failed string) {
		t.Helper()
		w.must(chromedp.Do(ctx,
			begin(key), chromedp.SetUploadFiles(chromedp.ID("file"), []string{save(name, b)}),
			chromedp.WaitVisible(chromedp.ID("verdict"))))
		if to := os.Getenv("SEALDOCK_SCREENSHOTS"); to != "" {
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			w.must(err)
			w.must(os.WriteFile(filepath.Join(to, "verify-"+strings.TrimSuffix(name, ".zip")+".png"), picture, 0o600))
		}
		verdict, err1 := chromedp.Run(ctx, chromedp.Evaluate[string](`document.getElementById("verdict").dataset.verdict`))
		failed, err2 := chromedp.Run(ctx, chromedp.Evaluate[string](`(document.getElementById("failed") || {}).innerText || ""`))
		w.must(errors.Join(err1, err2))
		return verdict, failed
	}
	logKey := w.pins().LogKey
	began := time.Now()
	if verdict, failed := judge("whole.zip", b, logKey); verdict != string(verifier.Holds) || failed != "" {
		t.Errorf("the package itself: %s: %s", verdict, failed)
	}
	t.Logf("%d MiB were judged in the browser in %v", length>>20, time.Since(began).Round(10*time.Millisecond))
	if verdict, _ := judge("unpinned.zip", b, ""); verdict != string(verifier.HoldsUnpinned) {
		t.Errorf("without a key: %s", verdict)
	}
	if verdict, failed := judge("another-log.zip", b, fmt.Sprintf("%x", []byte(public(key(66))))); verdict != string(verifier.Fails) || !strings.Contains(failed, "another log key") {
		t.Errorf("under another key: %s: %s", verdict, failed)
	}
	for _, name := range []string{o.index.Items[0].OriginalFile(), pack.ReportFile, pack.ProofFile} {
		verdict, failed := judge("flipped-"+filepath.Base(name)+".zip", flipped(t, b, name), logKey)
		if verdict != string(verifier.Fails) || !strings.Contains(failed, name) {
			t.Errorf("one bit of %s: %s: %s", name, verdict, failed)
		}
	}
	requests, err := chromedp.Run(ctx, chromedp.Evaluate[int](`performance.getEntriesByType("resource").length`))
	w.must(err)
	if requests != 0 {
		t.Errorf("the page asked for %d things", requests)
	}
}

// offline switches the browser's network off.
func offline(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
	_, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{{Offline: true}}})
	return chromedp.Void{}, err
}

// begin clears the report before, and gives the log's key.
func begin(key string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(`document.getElementById("report").replaceChildren(), document.getElementById("logkey").value = %q, true`, key)))
		return chromedp.Void{}, err
	}
}

// flipped changes one bit in the middle of a file, where it lies.
func flipped(t *testing.T, b []byte, name string) []byte {
	t.Helper()
	a, err := pack.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Entries {
		if a.Entries[i].Name == name {
			_, from, n := a.Content(&a.Entries[i]).Outer()
			b = bytes.Clone(b)
			b[from+n/2] ^= 1
			return b
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}
