"""Where the cells come from, as BibTeX."""

ELMAN = """@article{elman1990finding,
  author = {Elman, Jeffrey L.},
  title = {{Finding Structure in Time}},
  journal = {Cognitive Science},
  volume = {14},
  number = {2},
  pages = {179--211},
  year = {1990},
  doi = {10.1207/s15516709cog1402_1},
}"""

IRNN = """@misc{le2015simple,
  author = {Le, Quoc V. and Jaitly, Navdeep and Hinton, Geoffrey E.},
  title = {{A Simple Way to Initialize Recurrent Networks of Rectified Linear Units}},
  year = {2015},
  eprint = {1504.00941},
  archiveprefix = {arXiv},
}"""

JORDAN = """@techreport{jordan1986serial,
  author = {Jordan, Michael I.},
  title = {{Serial Order: A Parallel Distributed Processing Approach}},
  institution = {Institute for Cognitive Science, University of California, San Diego},
  number = {8604},
  year = {1986},
}"""

LSTM = """@article{hochreiter1997long,
  author = {Hochreiter, Sepp and Schmidhuber, Jürgen},
  title = {{Long Short-Term Memory}},
  journal = {Neural Computation},
  volume = {9},
  number = {8},
  pages = {1735--1780},
  year = {1997},
  doi = {10.1162/neco.1997.9.8.1735},
}"""

FORGET = """@article{gers2000learning,
  author = {Gers, Felix A. and Schmidhuber, Jürgen and Cummins, Fred},
  title = {{Learning to Forget: Continual Prediction with LSTM}},
  journal = {Neural Computation},
  volume = {12},
  number = {10},
  pages = {2451--2471},
  year = {2000},
  doi = {10.1162/089976600300015015},
}"""

PROJECTION = """@misc{sak2014long,
  author = {Sak, Haşim and Senior, Andrew and Beaufays, Françoise},
  title = {{Long Short-Term Memory Based Recurrent Neural Network Architectures for Large Vocabulary Speech
    Recognition}},
  year = {2014},
  eprint = {1402.1128},
  archiveprefix = {arXiv},
}"""

PEEPHOLE = """@inproceedings{gers2000recurrent,
  author = {Gers, Felix A. and Schmidhuber, Jürgen},
  title = {{Recurrent Nets that Time and Count}},
  booktitle = {{Proceedings of the International Joint Conference on Neural Networks}},
  volume = {3},
  pages = {189--194},
  year = {2000},
  doi = {10.1109/IJCNN.2000.861302},
}"""

COUPLED = """@article{greff2017lstm,
  author = {Greff, Klaus and Srivastava, Rupesh K. and Koutník, Jan and Steunebrink, Bas R. and Schmidhuber, Jürgen},
  title = {{LSTM: A Search Space Odyssey}},
  journal = {IEEE Transactions on Neural Networks and Learning Systems},
  volume = {28},
  number = {10},
  pages = {2222--2232},
  year = {2017},
  doi = {10.1109/TNNLS.2016.2582924},
}"""

LAYER_NORM = """@misc{ba2016layer,
  author = {Ba, Jimmy Lei and Kiros, Jamie Ryan and Hinton, Geoffrey E.},
  title = {{Layer Normalization}},
  year = {2016},
  eprint = {1607.06450},
  archiveprefix = {arXiv},
}"""

GRU = """@inproceedings{cho2014learning,
  author = {Cho, Kyunghyun and van Merriënboer, Bart and Gulcehre, Caglar and Bahdanau, Dzmitry and Bougares, Fethi
    and Schwenk, Holger and Bengio, Yoshua},
  title = {{Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation}},
  booktitle = {{Proceedings of EMNLP}},
  year = {2014},
  eprint = {1406.1078},
  archiveprefix = {arXiv},
}"""

MGU = """@article{zhou2016minimal,
  author = {Zhou, Guo-Bing and Wu, Jianxin and Zhang, Chen-Lin and Zhou, Zhi-Hua},
  title = {{Minimal Gated Unit for Recurrent Neural Networks}},
  journal = {International Journal of Automation and Computing},
  volume = {13},
  number = {3},
  pages = {226--234},
  year = {2016},
  eprint = {1603.09420},
  archiveprefix = {arXiv},
}"""

CLOCKWORK = """@inproceedings{koutnik2014clockwork,
  author = {Koutník, Jan and Greff, Klaus and Gomez, Faustino and Schmidhuber, Jürgen},
  title = {{A Clockwork RNN}},
  booktitle = {{Proceedings of ICML}},
  year = {2014},
  eprint = {1402.3511},
  archiveprefix = {arXiv},
}"""

SCRN = """@misc{mikolov2014learning,
  author = {Mikolov, Tomas and Joulin, Armand and Chopra, Sumit and Mathieu, Michael and Ranzato, Marc'Aurelio},
  title = {{Learning Longer Memory in Recurrent Neural Networks}},
  year = {2014},
  eprint = {1412.7753},
  archiveprefix = {arXiv},
}"""

INDRNN = """@inproceedings{li2018independently,
  author = {Li, Shuai and Li, Wanqing and Cook, Chris and Zhu, Ce and Gao, Yanbo},
  title = {{Independently Recurrent Neural Network (IndRNN): Building a Longer and Deeper RNN}},
  booktitle = {{Proceedings of CVPR}},
  year = {2018},
  eprint = {1803.04831},
  archiveprefix = {arXiv},
}"""

JANET = """@misc{vanderwesthuizen2018unreasonable,
  author = {van der Westhuizen, Jos and Lasenby, Joan},
  title = {{The Unreasonable Effectiveness of the Forget Gate}},
  year = {2018},
  eprint = {1804.04849},
  archiveprefix = {arXiv},
}"""

LIGRU = """@article{ravanelli2018light,
  author = {Ravanelli, Mirco and Brakel, Philemon and Omologo, Maurizio and Bengio, Yoshua},
  title = {{Light Gated Recurrent Units for Speech Recognition}},
  journal = {IEEE Transactions on Emerging Topics in Computational Intelligence},
  volume = {2},
  number = {2},
  pages = {92--102},
  year = {2018},
  eprint = {1803.10225},
  archiveprefix = {arXiv},
}"""

CORNN = """@inproceedings{rusch2021coupled,
  author = {Rusch, T. Konstantin and Mishra, Siddhartha},
  title = {{Coupled Oscillatory Recurrent Neural Network (coRNN): An Accurate and (Gradient) Stable Architecture for
    Learning Long Time Dependencies}},
  booktitle = {{Proceedings of ICLR}},
  year = {2021},
  eprint = {2010.00951},
  archiveprefix = {arXiv},
}"""

XLSTM = """@inproceedings{beck2024xlstm,
  author = {Beck, Maximilian and Pöppel, Korbinian and Spanring, Markus and Auer, Andreas and Prudnikova, Oleksandra
    and Kopp, Michael and Klambauer, Günter and Brandstetter, Johannes and Hochreiter, Sepp},
  title = {{xLSTM: Extended Long Short-Term Memory}},
  booktitle = {{Advances in Neural Information Processing Systems}},
  year = {2024},
  eprint = {2405.04517},
  archiveprefix = {arXiv},
}"""

CFC = """@article{hasani2022closed,
  author = {Hasani, Ramin and Lechner, Mathias and Amini, Alexander and Liebenwein, Lucas and Ray, Aaron and
    Tschaikowski, Max and Teschl, Gerald and Rus, Daniela},
  title = {{Closed-form Continuous-time Neural Networks}},
  journal = {Nature Machine Intelligence},
  volume = {4},
  pages = {992--1003},
  year = {2022},
  eprint = {2106.13898},
  archiveprefix = {arXiv},
}"""

MINIMAL = """@misc{feng2024were,
  author = {Feng, Leo and Tung, Frederick and Ahmed, Mohamed Osama and Bengio, Yoshua and Hajimirsadeghi, Hossein},
  title = {{Were RNNs All We Needed?}},
  year = {2024},
  eprint = {2410.01201},
  archiveprefix = {arXiv},
}"""

SRU = """@inproceedings{lei2018simple,
  author = {Lei, Tao and Zhang, Yu and Wang, Sida I. and Dai, Hui and Artzi, Yoav},
  title = {{Simple Recurrent Units for Highly Parallelizable Recurrence}},
  booktitle = {{Proceedings of EMNLP}},
  year = {2018},
  eprint = {1709.02755},
  archiveprefix = {arXiv},
}"""
