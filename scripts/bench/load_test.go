package main

import "testing"

func TestTheLineOfSimulatedDocksIsRead(t *testing.T) {
	l, ok := readLine("05:22:40  997 of 1000 docks connected, 1475 connections tried, 1012 welcomed, 12 lost; 0 of 0 receipts, 0 MiB sent; 0 refusals")
	if want := (shown{997, 1000, 1475, 1012}); !ok || l != want {
		t.Errorf("%+v, %v, want %+v", l, ok, want)
	}
	for _, text := range []string{"", "1035 of 10000 docks enrolled; more", "05:22:40  997 of 1000 docks"} {
		if _, ok := readLine(text); ok {
			t.Errorf("%q was taken for one", text)
		}
	}
}
