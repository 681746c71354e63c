package docker

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

// Rehearsal is the recipe for a container that runs beside the one r makes and
// that no user reaches: the same settings on an address of its own.
//
// What would lead users to it is left out: host ports, network aliases, fixed
// addresses, and all labels and variables by which reverse proxies and compose
// find their containers. Links to other containers stay; they only lead outwards.
//
// Nothing it does may harm the gateway beside it. Its mounts are those of r, but
// read-only: no documented gateway keeps data in a mount, so what is there is
// configuration, which is read, or a cache, which the old gateway may need as it
// is when the new one turns out to be broken. Two kinds stay writable: scratch
// directories such as /tmp, which become its own and empty, and mounts that hold
// the gateway's log files, which both append to.
func (r Recipe) Rehearsal(name string) (Recipe, []string) {
	var found Findings
	t := r.clone()
	t.Name = name
	t.MAC = nil

	t.Config.Labels = nil
	t.Config.Env = slices.DeleteFunc(t.Config.Env, func(entry string) bool { return discovery(nameOf(entry)) })

	host := t.HostConfig
	host.PortBindings = nil
	host.PublishAllPorts = false
	host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}
	host.ContainerIDFile = ""
	if host.NetworkMode.IsHost() {
		host.NetworkMode = network.NetworkBridge
		t.Networks = nil
		found.note("the gateway uses the host's network, so its rehearsal runs on the bridge network instead: what the gateway reaches on localhost, the rehearsal does not; set rehearse to false if that matters")
	}
	for _, endpoint := range t.Networks {
		endpoint.Aliases = nil
		endpoint.IPAMConfig = nil
	}
	if readOnly := t.protectMounts(); len(readOnly) > 0 {
		found.note("the rehearsal has these mounts read-only: %s; set rehearse to false if the gateway cannot start so", strings.Join(readOnly, ", "))
	}
	return t, found.Notes
}

// discovery reports whether a reverse proxy finds its containers by a variable.
// Source: github.com/nginx-proxy/nginx-proxy, docs (VIRTUAL_HOST, VIRTUAL_PORT,
// ...) and acme-companion (LETSENCRYPT_HOST, ACME_...).
func discovery(name string) bool {
	return strings.HasPrefix(name, "VIRTUAL_") || strings.HasPrefix(name, "LETSENCRYPT_") || strings.HasPrefix(name, "ACME_")
}

// scratch are directories for files that nobody else reads.
var scratch = []string{"/tmp", "/var/tmp", "/run", "/var/run"}

// logFiles are the variables that name the gateway's log files. Source: ai-assist,
// docs (AIGW_LOGGING__TO_FILE, DUO_WORKFLOW_LOGGING__TO_FILE).
var logFiles = []string{"AIGW_LOGGING__TO_FILE", "DUO_WORKFLOW_LOGGING__TO_FILE"}

// protectMounts makes the recipe's mounts read-only, see Rehearsal. It returns the
// places of those that were writable before.
func (r *Recipe) protectMounts() (changed []string) {
	host := r.HostConfig
	host.Binds = slices.DeleteFunc(host.Binds, func(bind string) bool {
		_, target := bindEnds(bind)
		return r.replaceScratch(target)
	})
	host.Mounts = slices.DeleteFunc(host.Mounts, func(m mount.Mount) bool {
		return m.Type != mount.TypeTmpfs && r.replaceScratch(m.Target)
	})
	maps.DeleteFunc(r.Config.Volumes, func(target string, _ struct{}) bool { _, ok := host.Tmpfs[target]; return ok })

	for i, bind := range host.Binds {
		source, target := bindEnds(bind)
		if r.holdsLog(target) {
			host.Binds[i] = joinBind(source, target, bindOptions(bind))
			continue
		}
		options := bindOptions(bind)
		if !slices.Contains(options, "ro") {
			changed = append(changed, target)
		}
		host.Binds[i] = joinBind(source, target, readOnly(options))
	}
	for i, m := range host.Mounts {
		if (m.Type == mount.TypeBind || m.Type == mount.TypeVolume) && !m.ReadOnly && !r.holdsLog(m.Target) {
			host.Mounts[i].ReadOnly = true
			changed = append(changed, m.Target)
		}
	}
	for i, from := range host.VolumesFrom {
		name, options, _ := strings.Cut(from, ":")
		host.VolumesFrom[i] = name + ":" + strings.Join(readOnly(strings.Split(options, ",")), ",")
	}
	slices.Sort(changed)
	return changed
}

// replaceScratch gives the rehearsal a scratch directory of its own; it reports
// whether target is one.
func (r *Recipe) replaceScratch(target string) bool {
	if !slices.Contains(scratch, path.Clean(target)) {
		return false
	}
	if r.HostConfig.Tmpfs == nil {
		r.HostConfig.Tmpfs = make(map[string]string)
	}
	r.HostConfig.Tmpfs[target] = "mode=1777"
	return true
}

func (r *Recipe) holdsLog(target string) bool {
	return slices.ContainsFunc(logFiles, func(name string) bool {
		file, _ := variables(r.Config.Env).get(name)
		return file != "" && strings.HasPrefix(path.Clean(file), path.Clean(target)+"/")
	})
}

func bindOptions(bind string) []string {
	parts := strings.SplitN(bind, ":", 3)
	if len(parts) < 3 {
		return nil
	}
	return strings.Split(parts[2], ",")
}

func joinBind(source, target string, options []string) string {
	bind := source + ":" + target
	if options = shared(options); len(options) > 0 {
		bind += ":" + strings.Join(options, ",")
	}
	return bind
}

func readOnly(options []string) []string {
	options = slices.DeleteFunc(shared(options), func(o string) bool { return o == "rw" || o == "ro" || o == "" })
	return append(options, "ro")
}

// shared turns Z into z: Z would give the files to the rehearsal alone, and take
// them from the running gateway, on a host with SELinux.
func shared(options []string) []string {
	options = slices.Clone(options)
	for i, o := range options {
		if o == "Z" {
			options[i] = "z"
		}
	}
	return options
}
