// Package check is the conformance kit: it lets simulated cameras go wrong in every
// way that is known, against a real agent and a real ingest server, and says of each
// promise whether it was kept.
//
// A [Row] is one promise: what is done to a camera, and what must hold. [Run] starts
// one station (package station), gives each row bays of its own, plays rows several at
// a time, and after each row checks the promises I1 to I8 over the simulator's
// oracle. A row's verdict is the worst that was found:
//
//	lost            a recording is neither on its camera nor stored with a receipt
//	accepted-wrong  something is stored that no camera made, or twice, or does not verify
//	erased-early    a camera was told to erase before there was a receipt
//	silent          nobody was told in plain words of what went wrong
//	slow            not all was done 60 s after the fault had ended, with no hands
//	kept            none of these
//	elsewhere       a row that USB/IP cannot play; its text says where it is played
//
// What it does not promise: that a promise holds on another bus than USB/IP, or in a
// kernel; `make test-usb` plays there.
//
// It knows the programs from outside only. The command firmware-sim check is its caller.
package check
