package io.github.grpo4j;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** A package imports only from floors below its own: the ground floor first. */
@AnalyzeClasses(packages = "io.github.grpo4j", importOptions = ImportOption.DoNotIncludeTests.class)
class PackageFloorsTest {
  @ArchTest
  static final ArchRule FLOORS = layeredArchitecture().consideringOnlyDependenciesInLayers().withOptionalLayers(true)
      .layer("ground").definedBy(floor("backend", "text", "data"))
      .layer("model").definedBy(floor("model"))
      .layer("rollout, optim").definedBy(floor("rollout", "optim"))
      .layer("reward, grpo, prefix").definedBy(floor("reward", "grpo", "prefix"))
      .layer("track, train").definedBy(floor("track", "train"))
      .layer("bench").definedBy(floor("bench"))
      .whereLayer("ground").mayNotAccessAnyLayer()
      .whereLayer("model").mayOnlyAccessLayers("ground")
      .whereLayer("rollout, optim").mayOnlyAccessLayers("ground", "model")
      .whereLayer("reward, grpo, prefix").mayOnlyAccessLayers("ground", "model", "rollout, optim")
      .whereLayer("bench").mayNotBeAccessedByAnyLayer()
      .whereLayer("track, train").mayOnlyAccessLayers("ground", "model", "rollout, optim", "reward, grpo, prefix");

  /** Holds packages of one floor apart, too. */
  @ArchTest
  static final ArchRule NO_CYCLES = slices().matching("io.github.grpo4j.(*)..").should().beFreeOfCycles();

  private static String[] floor(String... packages) {
    String[] identifiers = new String[packages.length];
    for (int i = 0; i < packages.length; i++) {
      identifiers[i] = "io.github.grpo4j." + packages[i] + "..";
    }
    return identifiers;
  }
}
