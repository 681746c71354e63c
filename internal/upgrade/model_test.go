package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// world is a target in memory, whose every call can fail, lie, be cancelled or be
// the last one its caller ever makes.
type world struct {
	t *testing.T

	live, aside, candidate *instance
	next                   int  // the ID of the next instance
	held                   bool // the lock
	back                   bool // what is under way is a rollback
	proven                 map[int]bool

	bad   map[string]bool            // images that do not work once live
	weak  map[string]bool            // images that already fail a rehearsal
	blind map[upgrade.Stage]bool     // stages the gate cannot look at
	gate  map[upgrade.Stage][]string // what was judged, in order

	gitlab      version.GitLab        // what GitLab runs
	silent      func() error          // nil: GitLab answers
	missing     map[version.Line]bool // lines without an image
	asked       version.GitLab        // what GitLab said when it was last asked
	recent      bool                  // nothing that takes long came after that
	unrehearsed string                // why nothing can be rehearsed
	mends       bool                  // bad images are good from the second run's rehearsal on
	mend        func()                // nil until then
	wakes       time.Time             // when a target that restarts has brought back what ran
	others      string                // at which call somebody else has changed the target

	dead  bool // the process was killed: what it still does while it unwinds does not count
	calls int
	step  func(n int, call string) fault // nil: nothing goes wrong
}

type instance struct {
	id      int
	image   string
	running bool
	past    upgrade.Past
}

// fault is what goes wrong with one call.
type fault int

const (
	none    fault = iota
	refuse        // an error, and nothing done
	lie           // done, but answered with an error
	abandon       // the job is cancelled during this call
	kill          // the job's process ends before this call
	killed        // the job's process ends right after this call
)

// death unwinds a job whose process was killed.
type death struct{}

var errInjected = errors.New("injected")

func newWorld(t *testing.T, image string) *world {
	w := &world{
		t: t, proven: map[int]bool{}, bad: map[string]bool{}, weak: map[string]bool{},
		blind: map[upgrade.Stage]bool{}, gate: map[upgrade.Stage][]string{},
		gitlab: version.GitLab{Major: 18, Minor: 3}, missing: map[version.Line]bool{},
	}
	if image != "" {
		w.live = w.create(image)
		w.live.running = true
		w.proven[w.live.id] = true
	}
	return w
}

func (w *world) create(image string) *instance {
	w.next++
	return &instance{id: w.next, image: image}
}

// disturb lets a fault happen at two calls, which may be the same; cancel is what
// abandons the job.
func (w *world) disturb(cancel context.CancelFunc, f fault, first, second int) {
	w.step = func(n int, _ string) fault {
		if n != first && n != second {
			return none
		}
		if f == abandon {
			cancel()
			return none
		}
		return f
	}
}

// do makes one call to the target, with its fault.
func (w *world) do(ctx context.Context, call string, work func()) error {
	if w.dead {
		return errInjected
	}
	w.calls++
	f := none
	if w.step != nil {
		f = w.step(w.calls, call)
	}
	switch f {
	case kill:
		w.dead = true
		panic(death{})
	case refuse:
		return errInjected
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	work()
	switch f {
	case killed:
		w.dead = true
		panic(death{})
	case lie:
		return errInjected
	}
	return nil
}

// invariants are looked at after every change.
func (w *world) invariants(call string) {
	w.t.Helper()
	for _, i := range []*instance{w.live, w.aside} {
		if i != nil && w.proven[i.id] {
			return
		}
	}
	if len(w.proven) > 0 {
		w.t.Errorf("after %s no gateway is left that was ever proven", call)
	}
}

func (w *world) Place() upgrade.Place { return upgrade.Place{Kind: "docker", Name: "model"} }

func (w *world) Lock(ctx context.Context) (<-chan struct{}, func(context.Context) error, error) {
	err := w.do(ctx, "lock", func() { w.held = true })
	return make(chan struct{}), func(ctx context.Context) error {
		return w.do(ctx, "release", func() { w.held = false })
	}, err
}

func (w *world) Observe(ctx context.Context) (seen upgrade.Observation, err error) {
	err = w.do(ctx, "observe", func() {
		seen.Platform = "linux/amd64"
		if w.live != nil {
			seen.Current = &upgrade.Instance{ID: fmt.Sprint(w.live.id), Image: w.live.image, Digests: []string{digest(w.live.image)}}
			seen.Live = view{w, w.live}
		}
		switch {
		case w.aside != nil && (w.live == nil || !w.live.running),
			w.aside == nil && w.live != nil && !w.live.running: // a target marks its swap before it stops anything
			seen.Interrupted = upgrade.Swapping
		case w.aside != nil:
			seen.Interrupted = upgrade.Unproven
		case w.candidate != nil:
			seen.Interrupted = upgrade.Rehearsing
		}
		seen.Back = w.back
	})
	return seen, err
}

func (w *world) Plan(ctx context.Context, seen upgrade.Observation, image upgrade.Image) (plan upgrade.Plan, err error) {
	plan = upgrade.Plan{Action: upgrade.Replace, Image: image, Unrehearsed: w.unrehearsed}
	switch {
	case seen.Current == nil:
		plan.Action = upgrade.Install
	case image.Is(seen.Current.Digests):
		plan.Action = upgrade.Nothing
	}
	return plan, w.do(ctx, "plan", func() {})
}

func (w *world) Prepare(ctx context.Context, _ upgrade.Plan) error {
	return w.do(ctx, "prepare", func() { w.recent = false })
}

func (w *world) Rehearse(ctx context.Context, plan upgrade.Plan) (upgrade.Gateway, error) {
	err := w.do(ctx, "rehearse", func() {
		w.recent = false
		if w.mend != nil {
			w.mend()
		}
		w.candidate = w.create(plan.Image.Tag)
		w.candidate.running = !w.weak[plan.Image.Tag]
	})
	return view{w, w.candidate}, err
}

func (w *world) Dismiss(ctx context.Context) error {
	return w.do(ctx, "dismiss", func() { w.candidate = nil })
}

// Promote makes its steps one by one, so that each can be the last.
func (w *world) Promote(ctx context.Context, plan upgrade.Plan) (upgrade.Gateway, error) {
	if wanted := belongs(w.asked, "new"); !plan.Back && (!w.recent || plan.Image.Tag != wanted) {
		w.t.Errorf("%s is promoted; GitLab was asked after the preparation: %v, and then wanted %s", plan.Image.Tag, w.recent, wanted)
	}
	if w.others == "promote" {
		return nil, &upgrade.ForeignError{Place: w.Place(), What: "it is another one"}
	}
	steps := []struct {
		name string
		work func()
	}{
		{"promote: mark", func() { w.back = plan.Back }},
		{"promote: stop", func() {
			if w.live != nil {
				w.live.running = false
			}
		}},
		{"promote: set aside", func() { w.aside, w.live = w.live, nil }},
		{"promote: create", func() {
			w.live = w.create(plan.Image.Tag)
			if w.aside != nil {
				w.live.past = upgrade.Past{Image: w.aside.image, Left: plan.Back}
			}
		}},
		{"promote: start", func() { w.live.running = true }},
	}
	for _, s := range steps {
		if err := w.do(ctx, s.name, s.work); err != nil {
			return nil, err
		}
		w.invariants(s.name)
	}
	return view{w, w.live}, nil
}

func (w *world) Keep(ctx context.Context) error {
	return w.do(ctx, "keep", func() {
		if w.live == nil || !w.proven[w.live.id] {
			w.t.Error("the old gateway is dropped before the new one is proven")
		}
		w.aside, w.back = nil, false
		w.invariants("keep")
	})
}

func (w *world) Restore(ctx context.Context) (upgrade.Gateway, error) {
	if w.others == "restore" {
		return nil, &upgrade.ForeignError{Place: w.Place(), What: "it is another one"}
	}
	err := w.do(ctx, "restore", func() {
		switch {
		case w.aside != nil:
			w.live, w.aside = w.aside, nil
		case w.live != nil && !w.proven[w.live.id]:
			w.live = nil
		}
		if w.live != nil {
			w.live.running = true
		}
		w.back = false
		w.invariants("restore")
	})
	if w.live == nil || err != nil {
		return nil, err
	}
	return view{w, w.live}, nil
}

func (w *world) Previous(ctx context.Context) (past upgrade.Past, err error) {
	return past, w.do(ctx, "previous", func() {
		if w.live != nil {
			past = w.live.past
		}
	})
}

// Judge is the gate: an instance works when it runs and its image is good.
func (w *world) Judge(ctx context.Context, s upgrade.Subject) []upgrade.Check {
	c := upgrade.Check{ID: "gateway.healthz", Stage: s.Stage, Verdict: upgrade.Fail, Remedy: "look"}
	i := s.Gateway.(view).instance
	err := w.do(ctx, "judge "+string(s.Stage), func() {})
	switch works := i.running && (s.Stage == upgrade.Rehearsal || !w.bad[i.image]); {
	case err != nil, ctx.Err() != nil, w.blind[s.Stage]:
		c.Verdict = upgrade.Inconclusive
	case works:
		c.Verdict = upgrade.Pass
		if s.Stage != upgrade.Rehearsal {
			w.proven[i.id] = true
		}
	}
	w.gate[s.Stage] = append(w.gate[s.Stage], i.image)
	return []upgrade.Check{c}
}

// view is a Gateway of the model. Only the model's gate looks at it.
type view struct {
	*world
	*instance
}

func (view) Endpoint(context.Context) (upgrade.Endpoint, error) { return upgrade.Endpoint{}, nil }
func (v view) State(context.Context) (upgrade.State, error) {
	if now := time.Now(); !v.wakes.IsZero() && now.After(v.wakes) {
		v.instance.running = true
	}
	if !v.instance.running {
		return upgrade.State{Status: upgrade.Exited}, nil
	}
	return upgrade.State{Status: upgrade.Running}, nil
}
func (view) Logs(context.Context, int) ([]string, error)        { return nil, nil }
func (view) DialFrom(context.Context, string) (net.Conn, error) { return nil, errors.ErrUnsupported }
func (view) Evidence(context.Context) ([]upgrade.File, error)   { return nil, nil }

// catalogue is GitLab and its registry: the version, and the image that belongs to it.
type catalogue struct {
	*world
	image string
}

func (c catalogue) Version(ctx context.Context) (upgrade.Release, error) {
	if c.silent != nil {
		if err := c.silent(); err != nil {
			return upgrade.Release{}, err
		}
	}
	err := c.do(ctx, "version", func() { c.asked, c.recent = c.gitlab, true })
	return upgrade.Release{Version: c.asked}, err
}

func (c catalogue) Find(ctx context.Context, gitlab version.GitLab, platform string) (upgrade.Image, error) {
	if c.missing[gitlab.Line()] {
		return upgrade.Image{}, &upgrade.NoImageError{Wanted: gitlab.Line(), Detail: "searched everywhere"}
	}
	return c.Describe(ctx, belongs(gitlab, c.image), platform)
}

// belongs is the image of a GitLab version: that of 18.3 is given, and those of
// later lines are called by their line.
func belongs(gitlab version.GitLab, image string) string {
	if gitlab.Minor > 3 {
		return gitlab.Line().String()
	}
	return image
}

func (c catalogue) Describe(ctx context.Context, tag, platform string) (upgrade.Image, error) {
	return upgrade.Image{Repository: "r", Tag: tag, Digest: digest(tag), Platform: platform}, c.do(ctx, "find", func() {})
}

func digest(image string) string { return "sha256:" + image }

// job is the real job on the model.
func (w *world) job(wanted string) *upgrade.Job {
	c := catalogue{w, wanted}
	return &upgrade.Job{GitLab: c, Images: c, Target: w, Gate: w, Rehearse: true, Rollback: true}
}

// upgrade runs the job to its end, or to the death of its process.
func (w *world) upgrade(ctx context.Context, wanted string) (result upgrade.Result, died bool) {
	return w.mortal(func() upgrade.Result { return w.job(wanted).Upgrade(ctx) })
}

// rollBack is the same for the way back.
func (w *world) rollBack(ctx context.Context) (result upgrade.Result, died bool) {
	return w.mortal(func() upgrade.Result { return w.job("new").RollBack(ctx) })
}

func (w *world) mortal(command func() upgrade.Result) (result upgrade.Result, died bool) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case death{}:
			died, w.dead, w.held = true, false, false // a lock whose holder is gone is taken over
		default:
			panic(r)
		}
	}()
	return command(), false
}
