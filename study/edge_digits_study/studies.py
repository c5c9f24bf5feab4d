"""The five documents that edge-digits is based on, with every figure that they publish about a system."""

from collections.abc import Mapping
from typing import Any

from edge_digits_train.recipes.recipe import MNIST_MEAN, MNIST_STD

from edge_digits_study.definition import Published, Row, Study, System, Table, Target

_WHOLE = {"validation_fraction": 0.01}
"""For a document that trains on all training pictures: as few pictures as possible are held out."""
_STANDARDIZED = {**_WHOLE, "mean": MNIST_MEAN, "std": MNIST_STD}
_TENSORFLOW = {"initializer": "glorot_uniform", "schedule": "constant", "epochs": 50}
"""Settings of Hao's networks that no recipe has: initialization of TensorFlow 2.5, constant rate, 50 epochs."""


def _figures(**values: float | tuple[float, float]) -> Mapping[str, Published]:
    return {name: Published(*value) if isinstance(value, tuple) else Published(value) for name, value in values.items()}


MLP_AGAINST_CNN = Study(
    name="mlp-against-cnn",
    title="MLP against CNN",
    document="N. M. Nguyen, P. T. Vu, N.-Q. Le Do, Q. P. Nguyen, N.-Q. Vu Nguyen, Q. D. Pham: Comparative Analysis of "
    "Multi-Layer Perceptron (MLP) and Convolutional Neural Networks (CNN) for Handwritten Digit Recognition",
    systems=(
        System("mlp", "MLP 256-128", "mlp-256-128", _WHOLE),
        System("cnn", "CNN 32-64", "cnn-32-64", _WHOLE),
        System("mlp-standardized", "MLP 256-128, standardized input", "mlp-256-128", _STANDARDIZED),
        System("cnn-standardized", "CNN 32-64, standardized input", "cnn-32-64", _STANDARDIZED),
    ),
    tables=(
        Table(
            "Table 4: performance",
            ("model",),
            ("test_accuracy", "recall", "precision", "f1"),
            (
                Row(
                    "mlp",
                    _figures(test_accuracy=(97.7, 0.2), recall=(96.9, 1.2), precision=(97.0, 0.8), f1=(97.0, 0.9)),
                    ("MLP",),
                ),
                Row(
                    "cnn",
                    _figures(test_accuracy=(98.9, 0.2), recall=(98.4, 1.0), precision=(98.4, 0.5), f1=(98.4, 0.7)),
                    ("CNN",),
                ),
                Row("mlp-standardized", {}, ("MLP, standardized",)),
                Row("cnn-standardized", {}, ("CNN, standardized",)),
            ),
        ),
        Table(
            "Table 5: complexity",
            ("model",),
            ("parameters", "seconds_per_epoch"),
            (
                Row("mlp", _figures(parameters=235_146, seconds_per_epoch=10.8), ("MLP",)),
                Row("cnn", _figures(parameters=421_642, seconds_per_epoch=12.6), ("CNN",)),
            ),
        ),
    ),
    targets=(Target("mlp", "test_accuracy", 97.7), Target("cnn", "test_accuracy", 98.9)),
    decisions=(
        "The conclusion says 99.6 % for the CNN; the abstract of results and Table 4 say 98.9 %: the table counts.",
        "The document scales pixels to [0, 1] or standardizes them with 0.1307 and 0.3081, and does not say which of "
        "the two the tables are from. Scaling to [0, 1] is compared with the tables; standardized input has rows of "
        "its own.",
        "The document does not give the dropout rates: all are 0.2 here. The positions of the dropout layers are from "
        "its Tables 1 and 2.",
        "The published recall and precision are further below the accuracy than MNIST's nearly equal classes allow: "
        "the macro recall of a classifier with 97.7 % accuracy is within about 0.1 pp of that. They are printed as "
        "published.",
        "The document trains on all 60,000 training pictures; here 600 of them are held out for validation. With 6,000 "
        "held out, as in 'edge-digits train mlp-256-128', the MLP reached 97.55 ± 0.14 % over three seeds.",
        "The document does not explain its ±; here it is the standard deviation over the seeds.",
    ),
    curves=("mlp", "cnn"),
    featured="cnn",
    repeated=("mlp", "cnn", "mlp-standardized", "cnn-standardized"),
)


def _layers(count: int, units: int) -> System:
    return System(
        f"mlp-{count}x{units}",
        f"MLP, {count} × {units}",
        "-".join(["mlp"] + [str(units)] * count),
        dropout=0.0 if (count, units) == (2, 128) else None,
    )


def _convolutions(name: str, title: str, recipe: str, dropout: float | None = None, **changes: Any) -> System:
    return System(name, title, recipe, {**_TENSORFLOW, **changes}, dropout)


def _mlp_dropout(percent: int) -> System:
    return System(
        f"mlp-dropout-{percent}", f"MLP, 2 × 128, dropout 0.{percent // 10}", "mlp-128-128", dropout=percent / 100
    )


def _cnn_dropout(percent: int) -> System:
    title = f"CNN 32-64-64, dropout 0.{percent // 10}"
    return _convolutions(f"cnn-dropout-{percent}", title, "cnn-32-64-64", percent / 100, epochs=80)


LIGHTWEIGHT_CNN = Study(
    name="lightweight-cnn",
    title="Optimization of MLP and lightweight CNN",
    document="X. Hao: Research on Optimization of Deep Learning in Handwritten Digit Recognition. Computing, "
    "Performance and Communication Systems 9 (1), 2025, doi 10.23977/cpcs.2025.090108",
    systems=(
        *(_layers(count, units) for count in (1, 2, 3) for units in (64, 128, 256)),
        *(_mlp_dropout(percent) for percent in (20, 30, 40, 50)),
        _convolutions("cnn-16-32", "CNN 16-32", "cnn-16-32"),
        _convolutions("cnn-32-64", "CNN 32-64", "cnn-32-64", 0.0),
        _convolutions("cnn-64-128", "CNN 64-128", "cnn-64-128"),
        _convolutions("cnn-32-64-64", "CNN 32-64-64", "cnn-32-64-64", 0.0),
        _convolutions("cnn-32-64-64-fc256", "CNN 32-64-64, dense 256", "cnn-32-64-64-fc256"),
        _convolutions("cnn-dropout-0", "CNN 32-64-64, no dropout, 80 epochs", "cnn-32-64-64", 0.0, epochs=80),
        *(_cnn_dropout(percent) for percent in (20, 30, 40, 50)),
        _convolutions("cnn-rate-1e-4", "CNN, learning rate 0.0001", "cnn-32-64-64", learning_rate=1e-4, epochs=80),
        _convolutions("cnn-rate-1e-2", "CNN, learning rate 0.01", "cnn-32-64-64", learning_rate=1e-2, epochs=80),
        _convolutions("cnn-batch-32", "CNN, batches of 32", "cnn-32-64-64", batch_size=32, epochs=80),
        _convolutions("cnn-50-epochs", "CNN, 50 epochs", "cnn-32-64-64", epochs=50),
        _convolutions("cnn-100-epochs", "CNN, 100 epochs", "cnn-32-64-64", epochs=100),
    ),
    tables=(
        Table(
            "Table 1: basic models",
            ("model",),
            ("train_accuracy", "test_accuracy", "minutes"),
            (
                Row("mlp-2x128", _figures(train_accuracy=98.5, test_accuracy=95.8, minutes=8.2), ("MLP",)),
                Row("cnn-32-64", _figures(train_accuracy=99.1, test_accuracy=97.2, minutes=15.6), ("lightweight CNN",)),
            ),
        ),
        Table(
            "Table 2: structure of the MLP",
            ("hidden layers", "units"),
            ("train_accuracy", "test_accuracy"),
            (
                Row("mlp-1x64", _figures(train_accuracy=97.2, test_accuracy=94.3), ("1", "64")),
                Row("mlp-1x128", _figures(train_accuracy=98.1, test_accuracy=95.1), ("1", "128")),
                Row("mlp-1x256", _figures(train_accuracy=98.3, test_accuracy=95.5), ("1", "256")),
                Row("mlp-2x64", {}, ("2", "64")),
                Row("mlp-2x128", _figures(train_accuracy=98.5, test_accuracy=95.8), ("2", "128")),
                Row("mlp-2x256", {}, ("2", "256")),
                Row("mlp-3x64", {}, ("3", "64")),
                Row("mlp-3x128", _figures(train_accuracy=98.8, test_accuracy=95.2), ("3", "128")),
                Row("mlp-3x256", {}, ("3", "256")),
            ),
        ),
        Table(
            "Table 3: structure of the lightweight CNN",
            ("convolutions", "filters", "dense units"),
            ("test_accuracy",),
            (
                Row("cnn-16-32", _figures(test_accuracy=96.1), ("2", "16, 32", "128")),
                Row("cnn-32-64", _figures(test_accuracy=97.2), ("2", "32, 64", "128")),
                Row("cnn-64-128", _figures(test_accuracy=97.3), ("2", "64, 128", "128")),
                Row("cnn-32-64-64", _figures(test_accuracy=97.8), ("3", "32, 64, 64", "128")),
                Row("cnn-32-64-64-fc256", _figures(test_accuracy=97.6), ("3", "32, 64, 64", "256")),
            ),
        ),
        Table(
            "Table 4: dropout",
            ("model", "dropout"),
            ("train_accuracy", "test_accuracy", "overfitting"),
            (
                Row("mlp-2x128", _figures(test_accuracy=95.8, overfitting=2.7, train_accuracy=98.5), ("MLP", "0.0")),
                Row("mlp-dropout-20", _figures(test_accuracy=96.2, overfitting=1.9), ("MLP", "0.2")),
                Row("mlp-dropout-30", _figures(test_accuracy=96.5, overfitting=1.3), ("MLP", "0.3")),
                Row("mlp-dropout-40", {}, ("MLP", "0.4")),
                Row("mlp-dropout-50", _figures(test_accuracy=96.1, overfitting=0.8), ("MLP", "0.5")),
                Row("cnn-dropout-0", _figures(test_accuracy=97.8, overfitting=1.5), ("CNN", "0.0")),
                Row("cnn-dropout-20", _figures(test_accuracy=98.2, overfitting=0.8), ("CNN", "0.2")),
                Row("cnn-dropout-30", _figures(test_accuracy=98.6, overfitting=0.3), ("CNN", "0.3")),
                Row("cnn-dropout-40", {}, ("CNN", "0.4")),
                Row("cnn-dropout-50", _figures(test_accuracy=98.0, overfitting=0.2), ("CNN", "0.5")),
            ),
        ),
        Table(
            "Table 5: hyperparameters of the CNN",
            ("learning rate", "batch", "epochs"),
            ("test_accuracy", "convergence_epoch"),
            (
                Row("cnn-rate-1e-4", _figures(test_accuracy=98.0, convergence_epoch=75), ("0.0001", "64", "80")),
                Row("cnn-dropout-30", _figures(test_accuracy=98.6, convergence_epoch=45), ("0.001", "64", "80")),
                Row("cnn-rate-1e-2", _figures(test_accuracy=97.9, convergence_epoch=30), ("0.01", "64", "80")),
                Row("cnn-batch-32", _figures(test_accuracy=98.4, convergence_epoch=50), ("0.001", "32", "80")),
                Row("cnn-50-epochs", _figures(test_accuracy=98.2, convergence_epoch=45), ("0.001", "64", "50")),
                Row("cnn-100-epochs", _figures(test_accuracy=98.5, convergence_epoch=45), ("0.001", "64", "100")),
            ),
        ),
    ),
    targets=(Target("mlp-dropout-30", "test_accuracy", 96.5), Target("cnn-dropout-30", "test_accuracy", 98.6)),
    decisions=(
        "In Table 4 the training accuracies repeat the test accuracies in all rows but the first. That contradicts the "
        "column of the overfitting degree and the text, which says 97.8 % training accuracy for the MLP at 0.3. Test "
        "accuracy and overfitting degree of these rows count here, their training accuracies do not.",
        "For the CNN at dropout 0.3 the gap between training and test accuracy is 0.5 pp in the text and 0.3 pp in "
        "Table 4. The table counts here.",
        "With more filters the test accuracy rises to 97.5 % in the text, to 97.3 % in Table 3: the table counts.",
        "With a learning rate of 0.0001 the CNN reaches 98.0 % only after 80 epochs in the text and converges at epoch "
        "75 in Table 5. The table counts here. The document does not define convergence: here it is the first epoch "
        "whose validation accuracy is within 0.1 pp of the best of the training.",
        "The document does not give batch size and epochs of Tables 1 to 4: here they are 64 and, as in the heading of "
        "Table 1, 50 epochs. The CNN of Table 4 is trained for 80 epochs, since its 98.6 % is that of the row with 80 "
        "epochs in Table 5.",
        "The document does not say where the dropout layers are: here they follow each hidden dense layer.",
        "Dropout rates of 0.4 and MLPs of 2 and 3 layers with 64 and 256 units are mentioned without figures.",
        "The training accuracy is measured here on the training pictures after training, without dropout.",
    ),
    curves=("mlp-2x128", "mlp-dropout-30", "cnn-32-64", "cnn-dropout-30"),
    featured="cnn-dropout-30",
    repeated=("mlp-2x128", "mlp-dropout-30", "cnn-32-64", "cnn-dropout-30"),
)

MLP_CLASSIFIER = Study(
    name="mlp-classifier",
    title="scikit-learn's MLPClassifier",
    document="S. Loukas: Classifying Handwritten Digits Using A Multilayer Perceptron Classifier (MLP). Towards Data "
    "Science, 27 November 2021",
    systems=(System("mlp", "MLP 50-20-10, SGD", "mlp-50-20-10"),),
    tables=(
        Table(
            "Scores",
            ("model",),
            ("train_accuracy", "test_accuracy"),
            (Row("mlp", _figures(train_accuracy=99.8633, test_accuracy=97.03), ("MLP 50-20-10",)),),
        ),
    ),
    targets=(Target("mlp", "test_accuracy", 97.03),),
    decisions=(
        "What the document leaves to the defaults of scikit-learn is explicit here: Nesterov momentum 0.9, batches of "
        "200, L2 of 0.0001 / 2 / 200 on the sum of squared weights, Glorot's initialization. scikit-learn initializes "
        "biases at random, too; here they start at 0.",
        "scikit-learn stops before 100 epochs if the training loss has not fallen by 0.0001 for ten epochs; here all "
        "100 epochs are trained.",
        "The document trains on all 60,000 training pictures with one seed; here 6,000 of them are held out for "
        "validation.",
    ),
    curves=("mlp",),
    featured="mlp",
    weights="mlp",
    repeated=("mlp",),
)

_NOISE = {"batch_size": 128, "epochs": 100}
DROPOUT_NOISE = Study(
    name="dropout-noise",
    title="Dropout and Gaussian noise",
    document="Handwritten Digit Classification: MLP vs. CNN with Dropout & Gaussian Noise on MNIST (software, README)",
    systems=(
        System("mlp", "MLP", "mlp-64", _NOISE),
        System("mlp-dropout", "MLP + dropout", "mlp-64-dropout"),
        System("mlp-noise", "MLP + noise", "mlp-64-noise"),
        System("cnn", "CNN", "cnn-32-64-flat"),
        System("cnn-dropout", "CNN + dropout", "cnn-32-64-flat-dropout"),
        System("cnn-noise", "CNN + noise", "cnn-32-64-flat-noise"),
    ),
    tables=(
        Table(
            "Six models",
            ("model", "regularization"),
            ("validation_accuracy", "test_accuracy"),
            (
                Row("mlp", _figures(validation_accuracy=98.0), ("MLP", "none")),
                Row("mlp-dropout", {}, ("MLP", "dropout 0.5")),
                Row("mlp-noise", {}, ("MLP", "noise 0.2")),
                Row("cnn", _figures(validation_accuracy=99.0, test_accuracy=99.0), ("CNN", "none")),
                Row("cnn-dropout", {}, ("CNN", "dropout 0.5")),
                Row("cnn-noise", _figures(validation_accuracy=99.2, test_accuracy=99.19), ("CNN", "noise 0.2")),
            ),
        ),
    ),
    targets=(Target("cnn-noise", "test_accuracy", 99.2),),
    decisions=(
        "The document does not give the width of the MLP, only that it has tens of thousands of weights, about as many "
        "as the CNN (34,826). Here it has 64 units and 50,890 parameters.",
        "The CNN has 32 and 64 filters of 3 × 3 and 1,600 features before the logits, which means that it has no "
        "padding.",
        "The test accuracy of the plain CNN is about 98.9 to 99.1 % in the document: 99.0 % counts here. That of the "
        "MLPs is in the high 98 % range, which is more than the 98 % that their validation accuracy reaches: none "
        "counts here.",
        "The 99.2 % are the highest validation accuracy of the noisy CNN; here it is compared with the accuracy after "
        "the last epoch.",
        "The 99.2 % test accuracy in the text are 81 wrong answers of 10,000, which is 99.19 %.",
        "The document does not give the optimizer: here it is Adam with 0.001 and the initialization of Keras.",
    ),
    curves=("mlp", "mlp-dropout", "mlp-noise", "cnn", "cnn-dropout", "cnn-noise"),
    featured="cnn-noise",
    repeated=("mlp", "mlp-dropout", "mlp-noise", "cnn", "cnn-dropout", "cnn-noise"),
)


def _fold(number: int, folds: int = 5) -> System:
    return System(
        f"fold-{number + 1}",
        f"fold {number + 1} of {folds}",
        "mlp-128-backpropagation",
        {"validation_fraction": 1 / folds, "validation_fold": number},
        seeds=1,
    )


_FOLDS = tuple(_fold(number) for number in range(5))
BACKPROPAGATION = Study(
    name="backpropagation",
    title="Backpropagation in TensorFlow",
    document="T. Filimonova, H. Samoylenko, A. Selivanova, Y. Yurchenko, A. Parashchak: Construction of a neural "
    "network for handwritten digits recognition based on TensorFlow library applying an error backpropagation "
    "algorithm. Eastern-European Journal of Enterprise Technologies 6 (2), 2023, doi 10.15587/1729-4061.2023.293682",
    systems=(System("mlp", "MLP 128", "mlp-128-backpropagation"), *_FOLDS),
    tables=(
        Table(
            "Loss and accuracy after 20 epochs",
            ("model",),
            ("train_accuracy", "test_accuracy", "train_loss", "test_loss"),
            (
                Row(
                    "mlp",
                    _figures(train_accuracy=98.08, test_accuracy=97.6, train_loss=0.0704, test_loss=0.105),
                    ("MLP 128",),
                ),
            ),
        ),
        Table(
            "Classification report",
            ("model",),
            ("precision", "recall", "f1"),
            (Row("mlp", _figures(precision=97.0, recall=97.0, f1=97.0), ("macro average",)),),
        ),
        Table(
            "Cross-validation",
            ("held out",),
            ("validation_accuracy", "test_accuracy"),
            tuple(Row(system.name, {}, (system.title,)) for system in _FOLDS),
        ),
    ),
    targets=(Target("mlp", "test_accuracy", 97.6),),
    decisions=(
        "The code in the document loops over the number of classes, 10, but the text says 20 epochs: 20 are trained.",
        "The document says that the first layer has 784 × 784 connections; with 128 neurons it has 784 × 128.",
        "The test accuracy is 0.976 in the text and 0.97 in the classification report, which rounds down: 97.6 % "
        "counts.",
        "The document mentions a cross-validation without the number of folds or any figure: here it has five folds.",
        "The curves in the document are measured on the test pictures during training; here they are measured on the "
        "validation pictures, and the test pictures are used once, at the end.",
        "The document trains on all 60,000 training pictures; here 6,000 of them are held out for validation.",
    ),
    curves=("mlp",),
    featured="mlp",
    repeated=("mlp",),
    folds=tuple(system.name for system in _FOLDS),
)

STUDIES: Mapping[str, Study] = {
    study.name: study for study in (MLP_AGAINST_CNN, LIGHTWEIGHT_CNN, MLP_CLASSIFIER, DROPOUT_NOISE, BACKPROPAGATION)
}
"""Every study by its name, in the order in which they are listed."""
