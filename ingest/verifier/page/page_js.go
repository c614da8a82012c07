// Command page, compiled for browsers, judges the file that was chosen, and hands the report to
// page.html.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall/js"
	"time"

	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/pack"
)

func main() {
	js.Global().Set("sealdockVerify", js.FuncOf(func(_ js.Value, args []js.Value) any {
		file, logKey, progress, done := args[0], args[1].String(), args[2], args[3]
		go judge(file, logKey, progress, done)
		return nil
	}))
	select {} // until the page is closed
}

// judge calls done with the report as JSON and its sentence, or with an error.
func judge(file js.Value, logKey string, progress, done js.Value) {
	size := int64(file.Get("size").Float())
	told := time.Now()
	report, err := verifier.Archive(context.Background(), &blob{file: file, size: size}, size, verifier.Options{
		Pins: verifier.Pins{LogKey: logKey},
		Progress: func(n, total uint64) {
			if time.Since(told) > 100*time.Millisecond {
				told = time.Now()
				progress.Invoke(float64(n), float64(total))
			}
		},
	})
	if err != nil {
		done.Invoke(js.Null(), js.Null(), err.Error())
		return
	}
	done.Invoke(string(pack.JSON(report)), report.Sentence(), js.Null())
}

// ahead is how much is fetched at once, in bytes: a call into the browser costs
// more than a small read.
const ahead = 4 << 20

// blob reads a browser's File in pieces, one of which is kept. It is used by one
// goroutine at a time: the browser has but one.
type blob struct {
	file js.Value
	size int64
	from int64
	kept []byte
}

// ReadAt implements io.ReaderAt.
func (b *blob) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		if at >= b.size {
			return n, io.EOF
		}
		if at < b.from || at >= b.from+int64(len(b.kept)) {
			if err := b.fetch(at); err != nil {
				return n, err
			}
		}
		got := copy(p[n:], b.kept[at-b.from:])
		n, at = n+got, at+int64(got)
	}
	return n, nil
}

func (b *blob) fetch(at int64) error {
	end := min(at+ahead, b.size)
	got := make(chan error, 1)
	var whole js.Value
	then := js.FuncOf(func(_ js.Value, args []js.Value) any {
		whole = args[0]
		got <- nil
		return nil
	})
	defer then.Release()
	fail := js.FuncOf(func(_ js.Value, args []js.Value) any {
		got <- fmt.Errorf("the browser cannot read the file at byte %d: %s", at, args[0].Call("toString").String())
		return nil
	})
	defer fail.Release()
	b.file.Call("slice", float64(at), float64(end)).Call("arrayBuffer").Call("then", then, fail)
	if err := <-got; err != nil {
		return err
	}
	view := js.Global().Get("Uint8Array").New(whole)
	if cap(b.kept) < ahead {
		b.kept = make([]byte, ahead)
	}
	b.kept, b.from = b.kept[:end-at], at
	if n := js.CopyBytesToGo(b.kept, view); n != len(b.kept) {
		b.kept = b.kept[:0]
		return errors.New("the file changed while it was read")
	}
	return nil
}
