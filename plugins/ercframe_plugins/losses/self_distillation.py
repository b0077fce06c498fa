"""Self-distillation: every modality learns to decide as the fused model does."""

from pydantic import Field
from torch import Tensor, nn

from ercframe import Batch, ComponentConfig, DatasetInfo, Loss, ModelOutput, ModelSpec, Term, hookimpl
from ercframe.nn import ClassWeights, Dropout, at_least_float32, class_weights, scored_weight, weighted_nll

# Shape letters: N utterances in the batch, S scored utterances, D features, C emotions.


class SelfDistillation(Loss):
    r"""Teach a student head per modality with the labels and with the classifier's softened decision.

    A student reads its modality's representation from the fusion, ``(N, D)``, and gives logits ``(N, C)``,
    :math:`z_m = W_m \operatorname{ReLU}(h_m) + b_m`, with dropout before the linear map. With the classifier's logits
    :math:`z` as teacher, each modality :math:`m` has two terms, over the scored utterances:

    .. math::

        L_{\text{hard}, m} &= -\sum_n w_{y_n} \log \operatorname{softmax}(z_{m,n})_{y_n} \Big/ \sum_n w_{y_n} \\
        L_{\text{soft}, m} &= \frac{1}{S} \sum_n \operatorname{KL}\left(\operatorname{softmax}(z_n / \tau) \,\|\,
                              \operatorname{softmax}(z_{m,n} / \tau)\right)

    named ``hard_text``, ``soft_text`` and so on. The soft terms are not weighted by class. The students belong to the
    loss, so a deployed model does not carry them; ``predictions`` shows their logits to reports.

    References:
        Ma et al. (2024), self-distillation. As in the released code, by default the teacher learns from the soft terms,
        too, and they are not multiplied by :math:`\tau^2`. Different from it: the divergence is computed from
        log-probabilities of real utterances, so its gradient is finite (the released one is NaN in any padded batch
        on current PyTorch).

    Raises:
        ercframe.errors.SpecError: the fusion keeps no representation per modality.
        ValueError: the list of class weights has not one number per emotion.
    """

    name = "self_distillation"
    terms = ("hard", "soft")
    example_configs = ({}, {"temperature": 8.0, "class_weights": "inverse_frequency", "detach_teacher": True})

    class Config(ComponentConfig):
        temperature: float = Field(1.0, gt=0, description="Softens both decisions in the soft terms.")
        dropout: float = Field(0.5, ge=0, lt=1, description="Before the students' linear map.")
        class_weights: ClassWeights = Field(
            "none",
            description="Weight of each emotion in the hard terms: none, inverse_frequency, "
            "or a list in the order of the labels.",
        )
        detach_teacher: bool = Field(False, description="Keep the soft terms from training the teacher.")
        scale_by_temperature: bool = Field(
            False,
            description="Multiply the soft terms by the squared temperature, so that their gradient keeps its size.",
        )

    class_weights: Tensor | None

    def __init__(self, config: Config, dataset: DatasetInfo, model: ModelSpec) -> None:
        super().__init__()
        self.temperature, self.detach_teacher = config.temperature, config.detach_teacher
        self.soft_scale = config.temperature**2 if config.scale_by_temperature else 1.0
        self.register_buffer("class_weights", class_weights(config.class_weights, dataset), persistent=False)
        self.students = nn.ModuleDict(
            {
                m: nn.Sequential(nn.ReLU(), Dropout(config.dropout), nn.Linear(width, len(dataset.labels)))
                for m, width in model.fused.require_by_modality().items()
            }
        )

    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        labels_S = batch.labels.index_select(0, batch.scored)
        teacher_SC = output.decision.logits.index_select(0, batch.scored)
        if self.detach_teacher:
            teacher_SC = teacher_SC.detach()
        student_SC = {
            m: student(output.fused.by_modality[m].index_select(0, batch.scored))
            for m, student in self.students.items()
        }
        hard = {f"hard_{m}": weighted_nll(z_SC, labels_S, self.class_weights) for m, z_SC in student_SC.items()}
        soft = {f"soft_{m}": self._divergence(teacher_SC, z_SC) for m, z_SC in student_SC.items()}
        return hard | soft

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {"hard": scored_weight(batch, self.class_weights), "soft": scored_weight(batch, None)}

    def predictions(self, output: ModelOutput) -> dict[str, Tensor]:
        return {m: student(output.fused.by_modality[m]) for m, student in self.students.items()}

    def _divergence(self, teacher_SC: Tensor, student_SC: Tensor) -> Term:
        """KL from the softened student to the softened teacher, summed over rows."""
        teacher_SC, student_SC = (self._softened(z_SC) for z_SC in (teacher_SC, student_SC))
        # From log-probabilities: the derivative of p log p is infinite at p = 0, that of exp(q) q is not.
        total = nn.functional.kl_div(student_SC, teacher_SC, reduction="sum", log_target=True)
        return Term(self.soft_scale * total, total.new_full((), len(teacher_SC)))

    def _softened(self, logits_SC: Tensor) -> Tensor:
        return (at_least_float32(logits_SC) / self.temperature).log_softmax(dim=-1)


@hookimpl
def ercframe_components() -> list[type[Loss]]:
    return [SelfDistillation]
