package settings

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var write = flag.Bool("write", false, "write the table of settings into docs/settings.md")

const (
	tableBegin = "<!-- table of settings: go test ./ingest/internal/settings -run TestTheGuide -write -->\n"
	tableEnd   = "<!-- end of the table -->\n"
)

func TestTheGuideListsAllSettings(t *testing.T) {
	const path = "../../../docs/settings.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| setting | what it is | default | taken |\n|---|---|---|---|\n")
	for _, d := range All() {
		what := d.Title + ". " + d.Help
		if d.Why != "" {
			what += " (" + d.Why + ")"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", d.Name, what, d.Say(d.Default), d.Bounds())
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatal("the guide has no place for the table")
	}
	want := before + tableBegin + table.String() + tableEnd + after
	if *write {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("the table in docs/settings.md is not that of the registry: run this test with -write")
	}
}
