package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// storage looks at what cameras that are mass storage need: the kernel's file
// systems, and rights on their block devices.
func storage(_ context.Context, s *Station) []Finding {
	if !s.Config.Cameras.Storage {
		return one(fine("USB disks are not used (cameras.storage = false)."))
	}
	var found []Finding
	known, err := os.ReadFile(s.at("/proc/filesystems"))
	if err != nil {
		return one(unknown("The kernel's file systems cannot be looked at.", err))
	}
	for _, kind := range []string{"vfat", "exfat"} {
		if !hasWord(string(known), kind) && !s.loadable(kind) {
			found = append(found, warn(fmt.Sprintf("This kernel has no %s: cameras whose cards are formatted so cannot be read as mass storage.", kind),
				fmt.Sprintf("Install the kernel's full module package (on Debian linux-image-amd64, not a cloud kernel), then modprobe %s.", kind)))
		}
	}
	user, err := s.User()
	if err != nil {
		return append(found, warn("Who may use USB disks cannot be told: the agent's user does not exist.", "Run sealdock-agent install as root."))
	}
	for _, name := range s.removable() {
		rights, err := s.Rights(s.at("/dev/" + name))
		if err == nil && !rights.allows(user, 6) {
			found = append(found, fail(fmt.Sprintf("The USB disk /dev/%s cannot be used by %s: mode %04o, user %d, group %d.", name, user.Name, rights.Mode.Perm(), rights.UID, rights.GID),
				"Run sealdock-agent install as root, which sets the udev rules up, then plug the camera in again."))
		}
	}
	if len(found) == 0 {
		return one(fine("The kernel reads FAT and exFAT, and the agent may use what is plugged in."))
	}
	return found
}

func hasWord(text, word string) bool {
	for _, field := range strings.Fields(text) {
		if field == word {
			return true
		}
	}
	return false
}

// loadable says whether the running kernel has a module, loaded or not.
func (s *Station) loadable(module string) bool {
	release, err := os.ReadFile(s.at("/proc/sys/kernel/osrelease"))
	if err != nil {
		return false
	}
	for _, list := range []string{"modules.dep", "modules.builtin"} {
		text, err := os.ReadFile(filepath.Join(s.at("/lib/modules"), strings.TrimSpace(string(release)), list))
		if err == nil && strings.Contains(string(text), "/"+module+".ko") {
			return true
		}
	}
	return false
}

// removable are the disks on USB that call themselves removable.
func (s *Station) removable() []string {
	var names []string
	disks, err := filepath.Glob(filepath.Join(s.at("/sys/block"), "sd*"))
	if err != nil {
		return nil
	}
	for _, disk := range disks {
		flag, err := os.ReadFile(filepath.Join(disk, "removable"))
		where, linkErr := filepath.EvalSymlinks(disk)
		if err == nil && linkErr == nil && strings.TrimSpace(string(flag)) == "1" && strings.Contains(where, "/usb") {
			names = append(names, filepath.Base(disk))
		}
	}
	return names
}
