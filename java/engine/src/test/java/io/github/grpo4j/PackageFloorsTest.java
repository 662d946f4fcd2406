package io.github.grpo4j;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
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
      .layer("1: backend, text, data").definedBy(packages("backend", "text", "data"))
      .layer("2: model, episode").definedBy(packages("model", "episode"))
      .layer("3: rollout, optim, reward").definedBy(packages("rollout", "optim", "reward"))
      .layer("4: grpo, curriculum").definedBy(packages("grpo", "curriculum"))
      .layer("5: config, update, track").definedBy(packages("config", "update", "track"))
      .layer("5: run, session, memory, eval").definedBy(packages("run", "session", "memory", "eval"))
      .layer("6: train").definedBy(packages("train"))
      .whereLayer("1: backend, text, data").mayNotAccessAnyLayer()
      .whereLayer("2: model, episode").mayOnlyAccessLayers("1: backend, text, data")
      .whereLayer("3: rollout, optim, reward").mayOnlyAccessLayers("1: backend, text, data", "2: model, episode")
      .whereLayer("4: grpo, curriculum").mayOnlyAccessLayers("1: backend, text, data", "2: model, episode", "3: rollout, optim, reward")
      .whereLayer("5: config, update, track").mayOnlyAccessLayers(
          "1: backend, text, data", "2: model, episode", "3: rollout, optim, reward", "4: grpo, curriculum")
      .whereLayer("5: run, session, memory, eval").mayOnlyBeAccessedByLayers("6: train")
      .whereLayer("6: train").mayNotBeAccessedByAnyLayer();

  /** Every package by itself, sub-packages included: what stands below knows nothing of what is built on it. */
  @ArchTest
  static final ArchRule NO_CYCLES_AMONG_SUBPACKAGES = slices().matching("io.github.grpo4j.(**)").should().beFreeOfCycles();

  /** Holds packages of one floor apart, too. */
  @ArchTest
  static final ArchRule NO_CYCLES = slices().matching("io.github.grpo4j.(*)..").should().beFreeOfCycles();

  /** A tracker of one's own must not compile against the algorithm. */
  @ArchTest
  static final ArchRule TRACKERS_KNOW_EPISODES_ONLY = noClasses().that().resideInAPackage("io.github.grpo4j.track..")
      .should().dependOnClassesThat().resideInAnyPackage(
          packages("backend", "model", "rollout", "optim", "reward", "grpo", "curriculum", "config", "update", "run", "session", "memory", "eval"));

  private static String[] packages(String... names) {
    String[] identifiers = new String[names.length];
    for (int i = 0; i < names.length; i++) {
      identifiers[i] = "io.github.grpo4j." + names[i] + "..";
    }
    return identifiers;
  }
}
