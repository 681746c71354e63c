package docker

import (
	"maps"
	"slices"
)

// Source is what a copy is made from.
type Source struct {
	Container Inspected

	// Image is the configuration of the image the container was made from, by its
	// ID; nil when the engine has it no longer.
	Image *ImageConfig

	// Others are all other containers on the engine; some are named by this one's
	// settings, or depend on it.
	Others []Inspected

	// API is the version that is spoken with the engine: "1.41".
	API string

	// Reference is the image the copy will run, for the notes.
	Reference string
}

// Copy writes down how to make an existing container again, with every setting its
// user made and none of what its image provided, so that the defaults of another
// image apply. It does not know which variables equal the image's own because the
// user set them so; those it takes for the image's unless an earlier run recorded
// them. With refusals in the findings the recipe must not be used.
//
// The labels of this program are not copied; whoever makes the container adds its
// own to Config.Labels.
func Copy(from Source) (Recipe, Findings) {
	recipe := settled(from.Container)
	found := refusals(from)
	if from.Image == nil {
		return recipe, found
	}
	withoutDefaults(recipe.Config, recipe.HostConfig.PortBindings, *from.Image, &recipe.Origin)

	// The proof that nothing got lost: the same image must give the same container.
	for _, d := range between(settled(from.Container), recipe.made(*from.Image)) {
		found.refuse("its setting %s would not survive the copy: this is a fault in aigw-ci, please report it", clean(d.Field, 200))
	}
	found.Notes = append(found.Notes, notes(from, recipe)...)
	return recipe, found
}

// made is the recipe as the engine shows a container that was made from it.
func (r Recipe) made(image ImageConfig) Recipe {
	sum := r.clone()
	withDefaults(sum.Config, image)
	return sum
}

// notes are what the administrator should know about copying this container.
func notes(from Source, r Recipe) []string {
	var found Findings
	labels := from.Container.Config.Labels
	if service := labels["com.docker.compose.service"]; service != "" {
		file := labels["com.docker.compose.project.config_files"]
		if file == "" {
			file = "the compose file"
		}
		found.note("the container belongs to docker compose: change the image of service %s in %s to %s, or the next docker compose up brings the old one back",
			clean(service, 100), clean(file, 500), from.Reference)
		found.note("configs and secrets that docker compose writes into the container by their content are not visible to the engine and are not copied: give them as files in %s", clean(file, 500))
	}
	for _, port := range slices.SortedFunc(maps.Keys(r.HostConfig.PortBindings), comparePorts) {
		for _, b := range r.HostConfig.PortBindings[port] {
			if b.HostPort == "" || b.HostPort == "0" {
				found.note("port %s is published on a host port that the engine chooses; the new container gets another one", port)
			}
		}
	}
	if r.HostConfig.PublishAllPorts {
		found.note("all exposed ports are published on host ports that the engine chooses; the new container gets others")
	}
	return found.Notes
}
