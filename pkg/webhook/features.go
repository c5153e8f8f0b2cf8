package webhook

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	knconfig "knative.dev/serving/pkg/apis/config"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// feature is a flag of config-features and the first field that needs it.
type feature struct {
	key, path string
	used      bool
	flag      knconfig.Flag
}

// features warns of flags that the template needs and the cluster has off:
// Knative then refuses the Service without naming the flag.
func (w warner) features() (problems []binding.Problem) {
	flags, spec := w.cluster.features.Load(), &w.service.Spec.Template.Spec.PodSpec
	for _, f := range slices.Concat(podFeatures(spec, flags), volumeFeatures(spec.Volumes, flags)) {
		if f.used && f.flag == knconfig.Disabled {
			problems = append(problems, warn(specPath+"."+f.path, "needs %s: enabled in config-features of knative-serving, where it is off", f.key)...)
		}
	}
	return problems
}

func podFeatures(s *corev1.PodSpec, f *knconfig.Features) []feature {
	return []feature{
		{knconfig.FeaturePodSpecAffinity, "affinity", s.Affinity != nil, f.PodSpecAffinity},
		{knconfig.FeaturePodSpecTopologySpreadConstraints, "topologySpreadConstraints", len(s.TopologySpreadConstraints) > 0, f.PodSpecTopologySpreadConstraints},
		{knconfig.FeaturePodSpecHostAliases, "hostAliases", len(s.HostAliases) > 0, f.PodSpecHostAliases},
		{knconfig.FeaturePodSpecNodeSelector, "nodeSelector", len(s.NodeSelector) > 0, f.PodSpecNodeSelector},
		{knconfig.FeaturePodSpecRuntimeClassName, "runtimeClassName", s.RuntimeClassName != nil, f.PodSpecRuntimeClassName},
		{knconfig.FeaturePodSpecTolerations, "tolerations", len(s.Tolerations) > 0, f.PodSpecTolerations},
		{knconfig.FeaturePodSpecSecurityContext, "securityContext", s.SecurityContext != nil && f.SecurePodDefaults == knconfig.Disabled, f.PodSpecSecurityContext},
		{knconfig.FeaturePodSpecShareProcessNamespace, "shareProcessNamespace", s.ShareProcessNamespace != nil, f.PodSpecShareProcessNamespace},
		{knconfig.FeaturePodSpecPriorityClassName, "priorityClassName", s.PriorityClassName != "", f.PodSpecPriorityClassName},
		{knconfig.FeaturePodSpecSchedulerName, "schedulerName", s.SchedulerName != "", f.PodSpecSchedulerName},
		{knconfig.FeaturePodSpecInitContainers, "initContainers", len(s.InitContainers) > 0, f.PodSpecInitContainers},
		{knconfig.FeaturePodSpecDNSPolicy, "dnsPolicy", s.DNSPolicy != "", f.PodSpecDNSPolicy},
		{knconfig.FeaturePodSpecDNSConfig, "dnsConfig", s.DNSConfig != nil, f.PodSpecDNSConfig},
		{knconfig.FeaturePodSpecHostIPC, "hostIPC", s.HostIPC, f.PodSpecHostIPC},
		{knconfig.FeaturePodSpecHostPID, "hostPID", s.HostPID, f.PodSpecHostPID},
		{knconfig.FeaturePodSpecHostNetwork, "hostNetwork", s.HostNetwork, f.PodSpecHostNetwork},
		{"multi-container", "containers", len(s.Containers) > 1, f.MultiContainer},
		{knconfig.FeaturePodSpecFieldRef, "containers", usesFieldRef(s.Containers), f.PodSpecFieldRef},
		{knconfig.FeatureContainerSpecAddCapabilities, "containers", addsCapabilities(s.Containers), f.ContainerSpecAddCapabilities},
	}
}

func volumeFeatures(volumes []corev1.Volume, f *knconfig.Features) (out []feature) {
	for i, v := range volumes {
		at := fmt.Sprintf("volumes[%d]", i)
		claim := v.PersistentVolumeClaim
		out = append(out,
			feature{knconfig.FeaturePodSpecPVClaim, at + ".persistentVolumeClaim", claim != nil, f.PodSpecPersistentVolumeClaim},
			feature{"kubernetes.podspec-persistent-volume-write", at + ".persistentVolumeClaim.readOnly", claim != nil && !claim.ReadOnly, f.PodSpecPersistentVolumeWrite},
			feature{knconfig.FeaturePodSpecEmptyDir, at + ".emptyDir", v.EmptyDir != nil, f.PodSpecVolumesEmptyDir},
			feature{knconfig.FeaturePodSpecHostPath, at + ".hostPath", v.HostPath != nil, f.PodSpecVolumesHostPath},
			feature{knconfig.FeaturePodSpecVolumesCSI, at + ".csi", v.CSI != nil, f.PodSpecVolumesCSI},
			feature{knconfig.FeaturePodSpecVolumesEphemeral, at + ".ephemeral", v.Ephemeral != nil, f.PodSpecVolumesEphemeral},
			feature{knconfig.FeaturePodSpecVolumesImage, at + ".image", v.Image != nil, f.PodSpecVolumesImage},
		)
	}
	return out
}

func usesFieldRef(containers []corev1.Container) bool {
	return slices.ContainsFunc(containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool {
			return e.ValueFrom != nil && (e.ValueFrom.FieldRef != nil || e.ValueFrom.ResourceFieldRef != nil)
		})
	})
}

func addsCapabilities(containers []corev1.Container) bool {
	return slices.ContainsFunc(containers, func(c corev1.Container) bool {
		return c.SecurityContext != nil && c.SecurityContext.Capabilities != nil &&
			len(c.SecurityContext.Capabilities.Add) > 0
	})
}
