package kiosk

import (
	"strings"

	"github.com/sealdock/sealdock/proto/upload"
)

// Bounds of shown texts, in bytes.
const (
	maxLabel    = 24
	maxName     = 60
	maxSerial   = 24
	maxSentence = 220
)

// discreet makes a sentence fit for a screen in a corridor: graphic characters
// on one line, nothing that looks like a path, a media file's name or a hash
// (file names can name persons and cases), and not longer than limit bytes.
//
// It looks at words, so a file name with spaces keeps the words that look like
// prose. Whoever writes sentences for the page leaves names out; this is the
// second lock.
func discreet(text string, limit int) string {
	var out []string
	for _, word := range strings.Fields(line(text, 4*limit)) {
		core := strings.Trim(word, ".,;:!?()[]{}\"'“”‘’«»")
		stand := ""
		switch {
		case namesFile(core):
			stand = "a recording"
		case looksHashed(core):
			stand = "…"
		default:
			out = append(out, word)
			continue
		}
		stand += closing(word)
		if n := len(out); n > 0 && strings.TrimRight(out[n-1], ".,;:!?") == strings.TrimRight(stand, ".,;:!?") {
			out[n-1] = stand
			continue
		}
		out = append(out, stand)
	}
	joined := strings.Join(out, " ")
	if strings.HasPrefix(joined, "a recording") {
		joined = "A" + joined[1:]
	}
	return shorten(joined, limit)
}

// line makes one line of graphic characters of any text, of at most limit bytes.
func line(text string, limit int) string {
	text = text[:min(len(text), 4*limit)]
	return upload.CleanText(strings.Join(strings.Fields(text), " "), limit)
}

// closing is the punctuation at a word's end that ends a sentence or a part.
func closing(word string) string {
	return word[len(strings.TrimRight(word, ".,;:!?")):]
}

// shorten cuts at a word's end, and says that it did.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := upload.CleanText(text, limit-len("…"))
	if i := strings.LastIndexByte(cut, ' '); i > len(cut)/2 {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, " .,;:") + "…"
}

// namesFile reports whether a word has a path's separators, or the ending of a
// file that cameras and docks make.
func namesFile(word string) bool {
	lower := strings.ToLower(word)
	if strings.ContainsAny(lower, `/\`) {
		return !isUnit(lower)
	}
	dot := strings.LastIndexByte(lower, '.')
	if dot < 0 {
		return false
	}
	switch lower[dot+1:] {
	case "mp4", "m4v", "mov", "avi", "mkv", "mpg", "mpeg", "ts", "mts", "m2ts", "3gp", "webm", "h264", "h265", "lrv", "thm", "insv", "360",
		"jpg", "jpeg", "png", "heic", "dng", "raw", "wav", "mp3", "m4a", "aac", "ogg", "opus",
		"json", "xml", "csv", "txt", "log", "srt", "vtt", "gpx", "kml", "nmea", "bin", "dat", "db", "tmp", "part", "zip", "pdf", "enc", "mhl", "md5", "sha256":
		return true
	}
	return false
}

// isUnit knows the few words of prose that hold a slash.
func isUnit(word string) bool {
	switch word {
	case "b/s", "kib/s", "mib/s", "gib/s", "kb/s", "mb/s", "gb/s", "mbit/s", "ptp/mtp", "and/or", "usb/ip":
		return true
	}
	return false
}

// looksHashed reports whether a word holds 12 hexadecimal digits in a row, at
// least one of them a letter and one a figure, or 24 of any kind.
func looksHashed(word string) bool {
	run, figures, letters := 0, 0, 0
	for _, r := range word + " " {
		switch {
		case r >= '0' && r <= '9':
			run, figures = run+1, figures+1
		case r >= 'a' && r <= 'f', r >= 'A' && r <= 'F':
			run, letters = run+1, letters+1
		default:
			if run >= 24 || run >= 12 && figures > 0 && letters > 0 {
				return true
			}
			run, figures, letters = 0, 0, 0
		}
	}
	return false
}
