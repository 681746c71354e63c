package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// One gateway has at most four containers. The live one carries the name that its
// administrator chose; the others add a suffix to it. The names say how far a run
// came, and they are all that a run leaves behind when it is killed: there is no
// state anywhere else.
const (
	suffix          = ".aigw-ci-"
	suffixRehearsal = suffix + "rehearsal" // the new image beside the old one, without users
	suffixNext      = suffix + "next"      // created, not in its place yet
	suffixPrevious  = suffix + "previous"  // the old one, set aside until the new one is proven
)

// Roles of containers that are gateways.
const (
	RoleGateway   = "gateway"
	RoleRehearsal = "rehearsal"
)

// What a gateway that replaced another one remembers of it.
const (
	// LabelPrevious is the image that ran before: "repository:tag@sha256:...".
	LabelPrevious = "aigw-ci.previous"
	// LabelBack is "true" on a gateway that a rollback made: LabelPrevious is then the
	// image that was left on purpose.
	LabelBack = "aigw-ci.back"
	// LabelConfigured is the name in docker.container under which a gateway is kept,
	// where its own name is another. Two settings never share a gateway.
	LabelConfigured = "aigw-ci.configured"
	// LabelRestart is the restart policy that the replaced container had.
	LabelRestart = "aigw-ci.previous-restart"
)

// family is the containers of one gateway, as they were found. A missing one is nil.
type family struct {
	name string // the live container's name, also while there is none

	live, rehearsal, next, previous *member
}

// member is one container of a family.
type member struct {
	id     string
	name   string
	image  string
	state  container.ContainerState
	labels map[string]string
}

func (m *member) running() bool {
	return m != nil && (m.state == container.StateRunning || m.state == container.StateRestarting || m.state == container.StatePaused)
}

// leaving reports whether the removal of a container has begun. One that was broken
// off, because the engine was stopped, leaves a container that cannot run any more.
func (m *member) leaving() bool {
	return m != nil && (m.state == container.StateDead || m.state == container.StateRemoving)
}

// ours reports whether this program made the container.
func (m *member) ours() bool { return m != nil && m.labels[LabelRole] != "" }

// interrupted reads from the names how far a run came that did not end.
func (f family) interrupted() upgrade.Interruption {
	switch {
	case f.previous != nil && (f.live == nil || !f.live.running() && f.live.state == container.StateCreated):
		return upgrade.Swapping
	case f.previous.running():
		return upgrade.Swapping // users may be with either, or it was on its way back
	case f.previous != nil:
		return upgrade.Unproven
	case f.next != nil:
		return upgrade.Swapping
	case f.live.ours() && f.live.state == container.StateCreated:
		return upgrade.Swapping // a first install that was never started
	case f.rehearsal != nil:
		return upgrade.Rehearsing
	}
	return upgrade.Clean
}

// back reports whether a run that did not end was a rollback. The container that it
// made says so, wherever it is by now.
func (f family) back() bool {
	if f.next != nil {
		return f.next.labels[LabelBack] != ""
	}
	return f.previous != nil && f.live != nil && f.live.labels[LabelBack] != ""
}

// foreign names a container that stands where one of ours would, and is not ours.
// Nothing is done to such a container, so nothing can be done at all.
func (f family) foreign() error {
	for _, m := range []*member{f.rehearsal, f.next} {
		if m != nil && !m.ours() {
			return fmt.Errorf("the container %q is in the way and was not made by this program: rename or remove it", m.name)
		}
	}
	if f.previous == nil {
		return nil
	}
	for _, m := range []*member{f.live, f.next} {
		if m != nil && m.labels[LabelReplaces] == f.previous.id {
			return nil
		}
	}
	if f.live == nil && f.next == nil {
		return nil // on the way back, the promoted one is gone before the old one has its name again
	}
	return fmt.Errorf("the container %q is in the way: it is not the one that %q replaced; rename or remove it", f.previous.name, f.name)
}

// family finds the gateway's containers: under the configured name, or else the
// one container that runs from a gateway repository. GitLab's page starts the
// gateway without a name, so it has whatever name the engine gave it.
// Source: docs.gitlab.com/install/install_ai_gateway.
func (t *Target) family(ctx context.Context) (family, error) {
	list, err := t.engine.api.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return family{}, t.engine.explain("listing containers", err)
	}
	members := make(map[string]*member, len(list.Items))
	for _, c := range list.Items {
		m := &member{id: c.ID, image: c.Image, state: c.State, labels: c.Labels}
		for _, n := range c.Names {
			// A linked container also has the names its users know it by: "/user/alias".
			if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
				m.name = n
				members[n] = m
			}
		}
	}

	name := t.options.Container
	if !known(members, name) {
		adopted, err := t.adopt(ctx, members)
		if err != nil {
			return family{}, err
		}
		if adopted != "" {
			name = adopted
		}
	}
	f := family{
		name:      name,
		live:      members[name],
		rehearsal: members[name+suffixRehearsal],
		next:      members[name+suffixNext],
		previous:  members[name+suffixPrevious],
	}
	return f, f.foreign()
}

// known reports whether any container of the family is there.
func known(members map[string]*member, name string) bool {
	for _, s := range []string{"", suffixRehearsal, suffixNext, suffixPrevious} {
		if members[name+s] != nil {
			return true
		}
	}
	return false
}

// adopt finds the one gateway that runs under a name of its own. It returns the
// empty string when there is none.
func (t *Target) adopt(ctx context.Context, members map[string]*member) (string, error) {
	running, stopped := map[string]string{}, map[string]string{}
	for name, m := range members {
		image, err := t.imageOf(ctx, m)
		if err != nil {
			return "", err
		}
		base, _, mine := strings.Cut(name, suffix)
		switch {
		case m.labels[LabelRole] == RoleLock || m.labels[LabelRole] == RoleRelay:
		case m.ours() && m.labels[LabelConfigured] != t.options.Container:
		case mine && !m.ours() && t.setAsideByOthers(members, base):
		case !mine && !gateway.IsGatewayRepository(image):
		case m.running() || mine:
			running[base] = image
		default:
			stopped[base] = image
		}
	}
	found := running
	if len(found) == 0 {
		found = stopped
	}
	if len(found) > 1 {
		lines := make([]string, 0, len(found))
		for name, image := range found {
			lines = append(lines, fmt.Sprintf("%q runs %s: set docker.container to its name to upgrade this one", name, image))
		}
		slices.Sort(lines)
		return "", &upgrade.RefusedError{Place: t.place(t.options.Container), Reasons: append(
			[]string{fmt.Sprintf("no container is named %q, and several run a gateway image", t.options.Container)}, lines...)}
	}
	for name := range found {
		return name, nil
	}
	return "", nil
}

// setAsideByOthers reports whether a container that somebody started by hand was set
// aside by a run that keeps it under another setting. It has no labels itself; what
// was made to replace it has.
func (t *Target) setAsideByOthers(members map[string]*member, base string) bool {
	for _, s := range []string{"", suffixNext} {
		if m := members[base+s]; m.ours() {
			return m.labels[LabelConfigured] != t.options.Container
		}
	}
	return false
}

// imageOf is the reference a container was created from. The list shows a bare ID
// instead once the tag has moved on to another image.
func (t *Target) imageOf(ctx context.Context, m *member) (string, error) {
	if !strings.HasPrefix(m.image, "sha256:") && !bareID(m.image) {
		return m.image, nil
	}
	c, err := t.engine.api.ContainerInspect(ctx, m.id, client.ContainerInspectOptions{})
	switch {
	case isNotFound(err):
		return "", nil
	case err != nil:
		return "", t.engine.explain("inspecting container "+m.name, err)
	case c.Container.Config == nil:
		return "", nil
	}
	return c.Container.Config.Image, nil
}

// bareID reports whether an image is shown by a shortened ID.
func bareID(image string) bool {
	return len(image) >= 12 && strings.Trim(image, "0123456789abcdef") == ""
}
