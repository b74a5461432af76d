package command

import (
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/internal/manifest"
)

// manifestFlags are the flags of manifest.
type manifestFlags struct {
	config, only string
	manifest.Options
}

func newManifest() *cobra.Command {
	var f manifestFlags
	c := &cobra.Command{
		Use:   "manifest -c FILE",
		Short: "Print what Kubernetes needs for exactly this file",
		Long: `manifest prints what nodes with this file need in Kubernetes, and no more: a service account with Roles and
RoleBindings for its kubernetes topologies, headless Services, the file, a StatefulSet or Deployment, a disruption budget and a
NetworkPolicy. Nothing is asked and nothing applied:

  convoke manifest -c FILE -n NAMESPACE | kubectl apply -f -

A program that embeds a node has a workload of its own, and needs a part of it:

  convoke manifest -c FILE --only access | kubectl apply -f -
  convoke manifest -c FILE --only service | kubectl apply -f -
  convoke manifest -c FILE --only pod > patch.yaml; kubectl patch statefulset NAME --patch-file patch.yaml

The Helm chart prints the same objects from the same values:

  convoke manifest -c FILE --only values > values.yaml; helm install NAME CHART -n NAMESPACE -f values.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return printManifest(c.OutOrStdout(), f) },
	}
	configFlag(c, &f.config)
	c.Flags().StringVarP(&f.Namespace, "namespace", "n", "default", "`namespace` of the pods")
	c.Flags().StringVar(&f.Account, "service-account", "", "`name` of their service account; default: the cluster ID")
	c.Flags().StringVar(&f.App, "app", "", "`name` of the objects, and of the label app; default: the cluster ID")
	c.Flags().StringVar(&f.Image, "image", defaultImage(), "`image` of the pods")
	c.Flags().StringVar(&f.Kind, "workload", "StatefulSet", "StatefulSet or Deployment")
	c.Flags().IntVar(&f.Replicas, "replicas", 0, "`number` of pods; default: the greatest expect of the topologies, else 3")
	c.Flags().StringVar(&f.Storage, "storage", "1Gi", "`size` of the volume of a node with node.data_dir")
	c.Flags().StringVar(&f.only, "only", "", "print one `part`: "+orList(manifest.Parts()))
	return c
}

// printManifest reads the file and prints the parts.
func printManifest(w io.Writer, f manifestFlags) error {
	switch {
	case f.only != "" && !slices.Contains(manifest.Parts(), f.only):
		return fmt.Errorf("--only %s: want %s", f.only, orList(manifest.Parts()))
	case f.Replicas < 0:
		return fmt.Errorf("--replicas %d is below 0", f.Replicas)
	case f.config == "":
		return errNoFile
	}
	values, err := manifest.Collect(f.config, inspectOptions(f.config), f.Options)
	if err != nil {
		return failedError(err)
	}
	text, err := values.Print(f.only)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	return failedError(err)
}

// imageName is where releases put the image.
const imageName = "ghcr.io/goconvoke/convoke"

// defaultImage is that of the release that this program is of.
func defaultImage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || !isRelease(info.Main.Version) {
		return imageName + ":latest"
	}
	return imageName + ":" + info.Main.Version
}

// isRelease reports whether a version of a module is a tag, not made of a commit or changed since.
func isRelease(version string) bool {
	return strings.HasPrefix(version, "v") && !strings.HasPrefix(version, "v0.0.0-") && !strings.ContainsAny(version, "+") && strings.Count(version, "-") < 2
}

// orList is "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
