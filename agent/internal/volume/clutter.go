package volume

import (
	"regexp"
	"strings"
)

// maxClutter is how long a file may be that counts as an operating system's.
const maxClutter = 1 << 20

// clutter holds, for each folder that an operating system leaves at the top of a
// card, what it puts there. Paths are relative to the folder, in lower case. A
// folder with anything else in it is taken in whole.
func clutter(folder string) *regexp.Regexp {
	switch strings.ToLower(folder) {
	case "system volume information": // Windows
		return regexp.MustCompile(`^(wpsettings\.dat|indexervolumeguid|tracking\.log)$`)
	case "$recycle.bin", ".trashes", ".trash-1000": // bins, when they are empty
		return regexp.MustCompile(`^(.*/)?(desktop\.ini|\.ds_store)$`)
	case ".fseventsd": // macOS
		return regexp.MustCompile(`^(fseventsd-uuid|no_log|[0-9a-f]{16})$`)
	}
	return nil
}
