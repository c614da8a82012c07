package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const sysfsDevices = "/sys/bus/usb/devices"

// device is a USB device that the agent would take for a camera.
type device struct {
	port string // "1-2.3"
	node string // "/dev/bus/usb/001/004"
	name string // as it calls itself
}

func usb(_ context.Context, s *Station) []Finding {
	if !s.Config.Cameras.USB {
		return one(fine("This machine's USB is not used (cameras.usb = false)."))
	}
	entries, err := os.ReadDir(s.at(sysfsDevices))
	if err != nil || len(entries) == 0 {
		return one(fail("This machine shows no USB bus.", "Check that it has a USB controller and that its driver is loaded (lsmod | grep xhci); a virtual machine needs one passed through. With cameras over USB/IP alone, set cameras.usb = false."))
	}
	cameras := s.cameras(entries)
	if len(cameras) == 0 {
		return one(fine("The USB bus is there; no PTP or MTP camera is plugged in at this moment."))
	}
	user, err := s.User()
	if err != nil {
		return one(fail("Who may open the cameras cannot be told: the agent's user does not exist.", "Run sealdock-agent install as root."))
	}
	var found []Finding
	for _, c := range cameras {
		found = append(found, s.access(c, user))
	}
	return found
}

// access says whether the agent may open a camera, and who else has it open.
func (s *Station) access(c device, user User) Finding {
	what := fmt.Sprintf("The camera in bay %s (%s, %s)", c.port, c.name, c.node)
	rights, err := s.Rights(s.at(c.node))
	if err != nil {
		return fail(what+" has no device node.", "See that udevd runs (systemctl status systemd-udevd); in a container, pass /dev/bus/usb in.")
	}
	if !rights.allows(user, 6) {
		return fail(fmt.Sprintf("%s cannot be opened by %s: mode %04o, user %d, group %d.", what, user.Name, rights.Mode.Perm(), rights.UID, rights.GID),
			"Run sealdock-agent install as root, which sets the udev rules up, then plug the camera in again.")
	}
	if holder, pid := s.holder(c.node); pid > 0 {
		advice := fmt.Sprintf("End it (kill %d), or keep it from taking cameras.", pid)
		if strings.HasPrefix(holder, "gvfs") {
			advice = "It belongs to a desktop's file manager: use a docking station without a desktop, or run sealdock-agent install, whose udev rules keep desktops away, and plug the camera in again."
		}
		return fail(fmt.Sprintf("%s is held by %s (process %d).", what, holder, pid), advice)
	}
	return fine(what + " can be opened by the agent.")
}

// cameras are the devices with a still-image interface, or one that calls itself
// MTP.
func (s *Station) cameras(entries []os.DirEntry) []device {
	var found []device
	for _, e := range entries {
		port, rest, isInterface := strings.Cut(e.Name(), ":")
		if !isInterface || rest == "" || !s.stillImage(e.Name()) {
			continue
		}
		bus, busErr := strconv.Atoi(s.attribute(port, "busnum"))
		number, numberErr := strconv.Atoi(s.attribute(port, "devnum"))
		if busErr != nil || numberErr != nil {
			continue // it is being taken out
		}
		name := strings.TrimSpace(s.attribute(port, "manufacturer") + " " + s.attribute(port, "product"))
		if name == "" {
			name = "without a name"
		}
		found = append(found, device{port: port, node: fmt.Sprintf("/dev/bus/usb/%03d/%03d", bus, number), name: strconv.QuoteToGraphic(name)})
	}
	return found
}

func (s *Station) stillImage(name string) bool {
	class := s.attribute(name, "bInterfaceClass") + s.attribute(name, "bInterfaceSubClass") + s.attribute(name, "bInterfaceProtocol")
	return class == "060101" || strings.HasPrefix(class, "ff") && s.attribute(name, "interface") == "MTP"
}

// attribute reads a short text of sysfs, "" when it is not there.
func (s *Station) attribute(name, attribute string) string {
	text, err := os.ReadFile(filepath.Join(s.at(sysfsDevices), name, attribute))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text[:min(len(text), 256)]))
}

// holder is a program other than the agent that has a device node open.
func (s *Station) holder(node string) (name string, pid int) {
	links, err := filepath.Glob(filepath.Join(s.at("/proc"), "[0-9]*", "fd", "*"))
	if err != nil {
		return "", 0
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != node {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		comm, err := os.ReadFile(filepath.Join(process, "comm"))
		number, numberErr := strconv.Atoi(filepath.Base(process))
		if err != nil || numberErr != nil || strings.HasPrefix(string(comm), "sealdock-agent") {
			continue
		}
		quoted := strconv.QuoteToGraphic(strings.TrimSpace(string(comm)))
		return quoted[1 : len(quoted)-1], number
	}
	return "", 0
}
